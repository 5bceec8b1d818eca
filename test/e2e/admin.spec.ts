import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';

let server: RedisServer;
let api: ProductProcess;

beforeAll(async () => {
  server = await RedisServer.start();
  api = await ProductProcess.start('api', { REDIS_URL: server.url });
}, 120_000);
afterAll(async () => {
  await api?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Fields of answers that a test looks into. */
interface Answer {
  readonly error: { readonly code: string; readonly message: string };
  readonly key: string;
  readonly record: { readonly keyId: string };
  readonly tenants: readonly { readonly id: string }[];
}

async function call(method: string, path: string, body?: unknown, key = TEST_KEY) {
  const response = await fetch(`${api.url}/admin/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer };
}

const newKey = async (tenant: string, role: string) => {
  const created = await call('POST', `tenants/${tenant}/keys`, { role });
  expect(created.status).toBe(201);
  return created.body;
};

describe('the admin API', () => {
  it('makes a tenant, grants it credits once per id, and shows its account', async () => {
    const made = await call('PUT', 'tenants/team-a', { weight: 2, credits: 'metered', requestsPerMinute: 60 });
    expect(made).toMatchObject({ status: 200, body: { id: 'team-a', weight: 2, account: { balance: 0 } } });
    await call('POST', 'tenants/team-a/grants', { grantId: 'invoice-1', credits: 12.5 });
    const again = await call('POST', 'tenants/team-a/grants', { grantId: 'invoice-1', credits: 12.5 });
    expect(again).toMatchObject({ status: 201, body: { account: { granted: 12.5, balance: 12.5 } } });
    expect((await call('GET', 'tenants')).body).toMatchObject({ tenants: [{ id: 'team-a' }] });
    expect((await call('GET', 'tenants/team-a/usage')).body).toEqual({ usage: [] });
  });

  it('shows a new key once, takes it on the API, and refuses it after revocation', async () => {
    const { key, record } = await newKey('team-a', 'tenant');
    const models = () => fetch(`${api.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    expect((await models()).status).toBe(200);
    const listed = await call('GET', 'tenants/team-a/keys');
    expect(JSON.stringify(listed.body)).not.toContain(key.slice(12));
    expect(JSON.stringify(listed.body)).not.toMatch(/[0-9a-f]{64}/);
    expect((await call('DELETE', `keys/${record.keyId}`)).status).toBe(200);
    await vi.waitFor(async () => expect((await models()).status).toBe(401), { timeout: 1_000 });
    expect((await call('DELETE', `keys/${record.keyId}`)).status).toBe(404);
  });

  it('rotates a key', async () => {
    const old = await newKey('team-a', 'admin');
    const rotated = await call('POST', `keys/${old.record.keyId}/rotate`, {});
    expect(rotated).toMatchObject({ status: 201, body: { record: { role: 'admin', tenantId: 'team-a' } } });
    await vi.waitFor(async () => expect((await call('GET', 'tenants/team-a', undefined, old.key)).status).toBe(401));
    expect((await call('GET', 'tenants/team-a', undefined, rotated.body.key)).status).toBe(200);
  });

  it('lets an admin manage its own tenant only, and never make an operator', async () => {
    await call('PUT', 'tenants/team-b', {});
    const { key } = await newKey('team-a', 'admin');
    const foreign = await newKey('team-b', 'tenant');
    const attempts = [
      await call('GET', 'tenants', undefined, key),
      await call('GET', 'tenants/team-b', undefined, key),
      await call('PUT', 'tenants/team-a', { weight: 100 }, key),
      await call('POST', 'tenants/team-a/grants', { grantId: 'mine', credits: 1 }, key),
      await call('POST', 'tenants/team-a/keys', { role: 'operator' }, key),
      await call('GET', 'tenancy', undefined, key),
      await call('PUT', 'prices', {}, key),
    ];
    for (const { status, body } of attempts) expect([status, body.error.code]).toEqual([403, 'permission_denied']);
    expect((await call('DELETE', `keys/${foreign.record.keyId}`, undefined, key)).status).toBe(404);
    expect((await call('POST', 'tenants/team-a/keys', { role: 'tenant' }, key)).status).toBe(201);
    expect((await call('GET', 'tenants/team-a/keys', undefined, foreign.key)).status).toBe(403);
  });

  it('exports all of it and applies it again without a change', async () => {
    await call('PUT', 'prices', { default: { prompt: 1, cachedPrompt: 0.5, completion: 3 } });
    const document = (await call('GET', 'tenancy')).body;
    expect(document.tenants.map((tenant) => tenant.id)).toEqual(['team-a', 'team-b']);
    expect((await call('PUT', 'tenancy?prune=true', document)).status).toBe(200);
    expect((await call('GET', 'tenancy')).body).toEqual(document);
  });

  it.each([
    ['PUT', 'tenants/Bad_Id', {}, /id/],
    ['PUT', 'tenants/team-c', { weight: 0 }, /weight/],
    ['PUT', 'tenants/team-c', { wieght: 1 }, /wieght/],
    ['POST', 'tenants/team-a/grants', { grantId: 'x', credits: -1 }, /credits/],
    ['GET', 'tenants/team-a/usage?from=yesterday', undefined, /from/],
    ['GET', 'tenants/team-a/usage?from=2026-02-01&to=2026-01-01', undefined, /from/],
    ['PUT', 'tenancy', { version: 2, tenants: [] }, /version/],
  ])('refuses %s %s with %j, naming the field', async (method, path, body, field) => {
    const refused = await call(method, path, body);
    expect([refused.status, refused.body.error.code]).toEqual([400, 'invalid_request']);
    expect(refused.body.error.message).toMatch(field);
  });

  it('is 404 for a tenant or key that does not exist, and 401 without a key', async () => {
    expect((await call('GET', 'tenants/nobody')).status).toBe(404);
    expect((await call('DELETE', 'tenants/nobody')).status).toBe(404);
    expect((await call('POST', 'tenants/nobody/keys', {})).status).toBe(404);
    expect((await call('POST', 'keys/none/rotate', {})).status).toBe(404);
    expect((await fetch(`${api.url}/admin/v1/tenants`)).status).toBe(401);
  });
});
