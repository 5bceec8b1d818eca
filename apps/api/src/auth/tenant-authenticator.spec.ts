import { describe, expect, it } from 'vitest';
import { type KnownKey, TenantRecord } from '#admission';
import { MillraceError } from '#contracts';
import { TenantAuthenticator } from './tenant-authenticator.ts';

const known: KnownKey = {
  tenant: TenantRecord.parse({ id: 'team-a' }),
  key: {
    keyId: 'key-1',
    hash: '',
    tenantId: 'team-a',
    role: 'tenant',
    prefix: '',
    note: '',
    createdAtMs: 0,
    expiresAtMs: null,
  },
};
const authenticator = new TenantAuthenticator('sk-right-key', {
  byKey: async (key) => (key === 'sk-of-team-a' ? known : null),
});

describe('TenantAuthenticator', () => {
  it.each(['Bearer sk-right-key', 'bearer  sk-right-key '])('gives the bootstrap tenant for %j', async (header) => {
    expect(await authenticator.authenticate(header)).toEqual({
      tenantId: 'dev',
      keyId: 'MILLRACE_DEV_KEY',
      role: 'operator',
    });
  });

  it('gives the tenant of a stored key', async () => {
    expect(await authenticator.authenticate('Bearer sk-of-team-a')).toEqual({
      tenantId: 'team-a',
      keyId: 'key-1',
      role: 'tenant',
    });
  });

  it('knows the bootstrap key while Redis is away, and no other', async () => {
    const away = new TenantAuthenticator('sk-right-key', {
      byKey: () => Promise.reject(new MillraceError('unavailable', 'Redis is away')),
    });
    expect((await away.authenticate('Bearer sk-right-key')).tenantId).toBe('dev');
    await expect(away.authenticate('Bearer sk-of-team-a')).rejects.toMatchObject({ code: 'unavailable' });
  });

  it.each([
    [undefined, /no Authorization header/],
    ['', /not of the form/],
    ['Bearer', /not of the form/],
    ['Basic c2stcmlnaHQta2V5', /not of the form/],
    ['Bearer sk-right-ke', /not known here/],
    ['Bearer sk-right-key2', /not known here/],
  ])('refuses %j with a remedy and without the key', async (header, message) => {
    const failure = await authenticator.authenticate(header).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'invalid_api_key', message: expect.stringMatching(message) });
    expect(String(failure)).not.toContain('sk-right');
  });
});
