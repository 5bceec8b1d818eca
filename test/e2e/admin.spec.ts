import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuditEntry } from '#admission';
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
  readonly keys: readonly { readonly keyId: string }[];
  readonly has_more: boolean;
  readonly entries: readonly { readonly entryId: string }[];
  readonly applied: boolean;
  readonly changes: readonly object[];
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
    expect((await call('GET', 'usage?by=key')).body).toEqual({ usage: [] });
  });

  it('has pages of tenants and of keys', async () => {
    for (const id of ['page-a', 'page-b', 'page-c']) await call('PUT', `tenants/${id}`, {});
    const tenants = async (query: string) => {
      const { body } = await call('GET', `tenants?${query}`);
      return [body.tenants.map(({ id }) => id), body.has_more];
    };
    expect(await tenants('after=page-&limit=2')).toEqual([['page-a', 'page-b'], true]);
    expect(await tenants('after=page-b&limit=1')).toEqual([['page-c'], expect.any(Boolean)]);
    expect((await tenants('')).at(1)).toBe(false);
    expect(await tenants('after=zz')).toEqual([[], false]);
    const made: string[] = [];
    for (let count = 0; count < 3; count++) made.push((await newKey('page-a', 'tenant')).record.keyId);
    const keys = async (query: string) => {
      const { body } = await call('GET', `tenants/page-a/keys?${query}`);
      return [body.keys.map(({ keyId }) => keyId), body.has_more];
    };
    const [[first, second], more] = (await keys('limit=2')) as [string[], boolean];
    expect([more, new Set(made).has(first!), new Set(made).has(second!)]).toEqual([true, true, true]);
    const rest = made.filter((keyId) => keyId !== first && keyId !== second);
    expect(await keys(`limit=2&after=${second}`)).toEqual([rest, false]);
    expect((await keys(''))[1]).toBe(false);
    const unknown = await call('GET', 'tenants/page-a/keys?after=nobody');
    expect([unknown.status, unknown.body.error.message]).toEqual([400, expect.stringContaining('Begin again')]);
    for (const query of ['limit=0', 'limit=10001', 'limit=x', 'after=']) {
      expect((await call('GET', `tenants?${query}`)).status, query).toBe(400);
    }
    for (const id of ['page-a', 'page-b', 'page-c']) await call('DELETE', `tenants/${id}`);
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
      await call('GET', 'queues', undefined, key),
      await call('PUT', 'prices', {}, key),
    ];
    for (const { status, body } of attempts) expect([status, body.error.code]).toEqual([403, 'permission_denied']);
    expect((await call('DELETE', `keys/${foreign.record.keyId}`, undefined, key)).status).toBe(404);
    expect((await call('POST', 'tenants/team-a/keys', { role: 'tenant' }, key)).status).toBe(201);
    expect((await call('GET', 'tenants/team-a/keys', undefined, foreign.key)).status).toBe(403);
  });

  it('hands out the ledger as pages, and to groups until they confirm', async () => {
    const ledger = 'tenants/team-a/ledger';
    const raw = async (query: string) => {
      const url = `${api.url}/admin/v1/${ledger}?${query}`;
      const response = await fetch(url, { headers: { authorization: `Bearer ${TEST_KEY}` } });
      return [response.headers.get('content-type'), await response.text()] as const;
    };
    const { body } = await call('GET', ledger);
    expect(body.entries).toMatchObject([{ kind: 'grant', requestId: 'invoice-1', credits: 12.5 }]);
    const { entryId } = body.entries[0]!;
    const [type, csv] = await raw('format=csv');
    expect(type).toMatch(/^text\/csv/);
    expect(csv.split('\n')[1]).toContain(`${entryId},team-a,grant,invoice-1,`);
    const [, lines] = await raw('format=jsonl');
    expect(JSON.parse(lines)).toMatchObject({ entryId, kind: 'grant' });
    expect((await call('GET', `${ledger}?after=${entryId}`)).body).toEqual({ entries: [] });
    const read = () => call('POST', `${ledger}/billing/read`, { member: 'one' });
    expect((await read()).body.entries).toMatchObject([{ entryId }]);
    expect((await read()).body.entries).toEqual([]);
    const confirm = () => call('POST', `${ledger}/billing/confirm`, { entryIds: [entryId] });
    expect(await confirm()).toMatchObject({ status: 200, body: { confirmed: 1 } });
    expect((await confirm()).body).toEqual({ confirmed: 0 });
    const { key } = await newKey('team-a', 'admin');
    expect((await call('GET', ledger, undefined, key)).status).toBe(200);
    expect((await call('POST', `${ledger}/billing/read`, { member: 'one' }, key)).status).toBe(403);
  });

  it('exports all of it and applies it again without a change', async () => {
    await call('PUT', 'prices', { default: { prompt: 1, cachedPrompt: 0.5, completion: 3 } });
    const document = (await call('GET', 'tenancy')).body;
    expect(document.tenants.map((tenant) => tenant.id)).toEqual(['team-a', 'team-b']);
    const again = await call('PUT', 'tenancy?prune=true', document);
    expect(again).toMatchObject({ status: 200, body: { applied: true, changes: [] } });
    const nothing = await call('PUT', 'tenancy?prune=true&dryRun=true', { version: 1, tenants: [] });
    expect(nothing.body.applied).toBe(false);
    expect(nothing.body.changes).toContainEqual(expect.objectContaining({ action: 'remove', id: 'team-a' }));
    expect((await call('GET', 'tenancy')).body).toEqual(document);
  });

  it('removes a tenant with its keys, which are not valid again when it is made anew', async () => {
    await call('PUT', 'tenants/team-e', {});
    const { key } = await newKey('team-e', 'admin');
    const other = await newKey('team-a', 'admin');
    expect((await call('DELETE', 'tenants/team-e')).status).toBe(200);
    await call('PUT', 'tenants/team-e', {});
    await vi.waitFor(async () => expect((await call('GET', 'tenants/team-e', undefined, key)).status).toBe(401));
    expect((await call('GET', 'tenants/team-e/keys')).body).toEqual({ keys: [], has_more: false });
    expect((await call('GET', 'tenants/team-a', undefined, other.key)).status).toBe(200);
  });

  it('changes single fields of a tenant, also many at once, and leaves the others', async () => {
    await call('PUT', 'tenants/team-d', { weight: 2, credits: 'metered', parameters: { maximumChoices: 4 } });
    const changed = await call('PATCH', 'tenants/team-d', { parameters: { defaultMaxTokens: 64 }, concurrency: 5 });
    const fields = { weight: 2, credits: 'metered', concurrency: 5 };
    expect(changed).toMatchObject({
      status: 200,
      body: { ...fields, parameters: { defaultMaxTokens: 64, maximumMaxTokens: null, maximumChoices: 4 } },
    });
    await Promise.all([
      call('PATCH', 'tenants/team-d', { weight: 3 }),
      call('PATCH', 'tenants/team-d', { name: 'D' }),
      call('PATCH', 'tenants/team-d', { requestsPerMinute: 7 }),
      call('PATCH', 'tenants/team-d', { concurrency: null }),
    ]);
    const { body } = await call('GET', 'tenants/team-d');
    expect(body).toMatchObject({ ...fields, weight: 3, name: 'D', requestsPerMinute: 7, concurrency: null });
    expect((await call('PATCH', 'tenants/nobody', { weight: 1 })).status).toBe(404);
  });

  it.each([
    ['PUT', 'tenants/Bad_Id', {}, /id/],
    ['PUT', 'tenants/team-c', { weight: 0 }, /weight/],
    ['PUT', 'tenants/team-c', { wieght: 1 }, /wieght/],
    ['PATCH', 'tenants/team-a', { wieght: 1 }, /wieght/],
    ['PATCH', 'tenants/team-a', { weight: 0 }, /weight/],
    ['PATCH', 'tenants/team-a', { parameters: 7 }, /parameters/],
    ['PATCH', 'tenants/team-a', { parameters: { maximumChoice: 1 } }, /maximumChoice/],
    ['PATCH', 'tenants/team-a', { id: 'team-z' }, /id/],
    ['POST', 'tenants/team-a/grants', { grantId: 'x', credits: -1 }, /credits/],
    ['GET', 'tenants/team-a/usage?from=yesterday', undefined, /from/],
    ['GET', 'tenants/team-a/usage?from=2026-02-01&to=2026-01-01', undefined, /from/],
    ['GET', 'tenants/team-a/ledger?after=first', undefined, /after/],
    ['GET', 'tenants/team-a/ledger?format=xml', undefined, /format/],
    ['POST', 'tenants/team-a/ledger/bad%20group/read', { member: 'one' }, /must be 1 to 64/],
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

  it('notes who changed what, without keys and their hashes, and nothing that was refused or only asked', async () => {
    const mark = `invoice-${Date.now()}`;
    const { key, record } = await newKey('team-a', 'admin');
    await call('POST', 'tenants/team-a/grants', { grantId: mark, credits: 3 });
    const made = await call('POST', 'tenants/team-a/keys', { role: 'tenant', note: mark }, key);
    await call('PUT', 'tenants/team-a', { weight: 100 }, key);
    const document = (await call('GET', 'tenancy')).body;
    await call('PUT', 'tenancy?dryRun=true', document);
    await call('DELETE', `keys/${made.body.record.keyId}`);
    const { entries } = (await call('GET', 'audit?count=4')).body as unknown as { entries: AuditEntry[] };
    expect(entries).toMatchObject([
      { action: 'DELETE keys/:keyId', subject: [made.body.record.keyId], tenantId: 'dev', keyId: 'MILLRACE_DEV_KEY' },
      {
        ...{ action: 'POST tenants/:id/keys', subject: ['team-a'], tenantId: 'team-a', keyId: record.keyId },
        detail: { role: 'tenant', note: mark, keyId: made.body.record.keyId },
      },
      { action: 'POST tenants/:id/grants', subject: ['team-a'], detail: { grantId: mark, credits: 3 } },
      { action: 'POST tenants/:id/keys', detail: { role: 'admin', keyId: record.keyId } },
    ]);
    const older = (await call('GET', `audit?count=1&before=${entries[0]!.entryId}`)).body;
    expect(older.entries).toEqual([entries[1]]);
    const text = JSON.stringify((await call('GET', 'audit?count=1000')).body);
    expect(text).not.toMatch(/sk-mr-|[0-9a-f]{64}/);
    expect((await call('GET', 'audit', undefined, key)).status).toBe(403);
  });
});
