import { describe, expect, it } from 'vitest';
import { SingleKeyAuthenticator } from './single-key-authenticator.ts';

const tenant = { tenantId: 'dev', keyId: 'dev' };
const authenticator = new SingleKeyAuthenticator('sk-right-key', tenant);

describe('SingleKeyAuthenticator', () => {
  it.each(['Bearer sk-right-key', 'bearer  sk-right-key '])('gives the tenant for %j', async (header) => {
    expect(await authenticator.authenticate(header)).toEqual(tenant);
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
