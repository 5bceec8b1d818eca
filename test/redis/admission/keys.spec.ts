import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  apiKeyHash,
  applyTenancy,
  type CreatedKey,
  exportTenancy,
  KeyStore,
  newApiKey,
  TenantAccount,
  TenantDirectory,
  TenantStore,
} from '#admission';
import { connectRedis, redisKeys } from '#queue';
import { RedisServer } from '../../support/redis-server.ts';

let server: RedisServer;
let redis: Redis;
let tenants: TenantStore;
let keys: KeyStore;
let directory: TenantDirectory;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  redis = connectRedis(server.url, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
  await redis.flushall();
  tenants = new TenantStore(redis);
  keys = new KeyStore(redis);
  directory = new TenantDirectory(redis);
  await tenants.put({ id: 'team-a', weight: 3 });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  directory[Symbol.dispose]();
  redis.disconnect();
});

/** Every value that Redis holds, in one text. */
async function everythingInRedis(): Promise<string> {
  const texts: string[] = [];
  for (const name of await redis.keys('*')) {
    texts.push(name, (await redis.dump(name))?.toString() ?? '');
    const type = await redis.type(name);
    if (type === 'hash') texts.push(JSON.stringify(await redis.hgetall(name)));
    if (type === 'string') texts.push((await redis.get(name)) ?? '');
    if (type === 'stream') texts.push(JSON.stringify(await redis.xrange(name, '-', '+')));
  }
  return texts.join('\n');
}

describe('API keys', () => {
  it('give the tenant and the role they were made for', async () => {
    const { key, record } = await keys.create({ tenantId: 'team-a', role: 'admin', note: 'ci' });
    const known = await directory.byKey(key);
    expect(known).toMatchObject({ tenant: { id: 'team-a', weight: 3 }, key: { keyId: record.keyId, role: 'admin' } });
    expect(await directory.byKey(`${key}x`)).toBeNull();
  });

  it('can not be read from Redis, lists or exports', async () => {
    const { key, record } = await keys.create({ tenantId: 'team-a' });
    await directory.byKey(key);
    const secret = key.slice(record.prefix.length);
    const seen = [
      await everythingInRedis(),
      JSON.stringify(await keys.list()),
      JSON.stringify(await exportTenancy(redis)),
    ];
    for (const text of seen) expect(text).not.toContain(secret);
    expect(JSON.stringify(await keys.list())).not.toMatch(/[0-9a-f]{64}/);
    expect(key.startsWith(record.prefix)).toBe(true);
    expect(record.prefix.length).toBeLessThan(key.length / 3);
  });

  it('show when they were last used', async () => {
    const { key } = await keys.create({ tenantId: 'team-a' });
    expect((await keys.list())[0]?.lastUsedAtMs).toBeNull();
    await directory.byKey(key);
    await vi.waitFor(async () => expect((await keys.list())[0]?.lastUsedAtMs).toBeGreaterThan(0));
  });

  it('are refused when they have expired', async () => {
    const { key } = await keys.create({ tenantId: 'team-a', expiresAtMs: Date.now() + 50 });
    expect(await directory.byKey(key)).not.toBeNull();
    await vi.waitFor(async () => expect(await directory.byKey(key)).toBeNull());
  });

  it('are refused at once on every replica after revocation', async () => {
    const other = new TenantDirectory(redis);
    const { key, record } = await keys.create({ tenantId: 'team-a' });
    expect(await directory.byKey(key)).not.toBeNull();
    expect(await other.byKey(key)).not.toBeNull();
    expect(await keys.revoke(record.keyId)).toBe(true);
    const startedMs = performance.now();
    await vi.waitFor(async () => {
      expect(await directory.byKey(key)).toBeNull();
      expect(await other.byKey(key)).toBeNull();
    });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect(await keys.revoke(record.keyId)).toBe(false);
    other[Symbol.dispose]();
  });

  it('are refused within a second when the notice of their revocation is lost', async () => {
    const { key } = await keys.create({ tenantId: 'team-a' });
    expect(await directory.byKey(key)).not.toBeNull();
    // What `revoke` does, without the notice.
    await redis.del(redisKeys.apiKeys);
    const startedMs = performance.now();
    await vi.waitFor(async () => expect(await directory.byKey(key)).toBeNull(), { interval: 10 });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  it('are read anew in the background while they are asked for, so that no request waits for Redis', async () => {
    const { key } = await keys.create({ tenantId: 'team-a' });
    // The notice of it makes replicas forget what they have read.
    await new Promise((resolve) => setTimeout(resolve, 100));
    vi.useFakeTimers({ toFake: ['performance'] });
    await directory.byKey(key);
    vi.advanceTimersByTime(250);
    const read = redis.hget.bind(redis);
    let answer = () => {};
    const late = new Promise<void>((resolve) => {
      answer = resolve;
    });
    vi.spyOn(redis, 'hget').mockImplementation(async (hash, field) => {
      await late;
      return read(hash, field);
    });
    expect(await directory.byKey(key)).not.toBeNull();
    expect(redis.hget).toHaveBeenCalledTimes(2);
    answer();
    await Promise.all(vi.mocked(redis.hget).mock.results.map(({ value }) => value));
    await new Promise((resolve) => setImmediate(resolve));
    vi.advanceTimersByTime(350);
    // By now the first reading is too old, and the second is not.
    vi.mocked(redis.hget).mockImplementation(() => new Promise(() => {}));
    expect(await directory.byKey(key)).not.toBeNull();
    // Nor is anything given that was read before that.
    vi.advanceTimersByTime(200);
    expect(await Promise.race([directory.byKey(key), new Promise((resolve) => setTimeout(resolve, 50, 'waits'))])).toBe(
      'waits',
    );
  });

  it('rotate with and without a time in which both are valid', async () => {
    const first = await keys.create({ tenantId: 'team-a', role: 'operator', note: 'n' });
    const second = await keys.rotate(first.record.keyId, 60_000);
    expect(second.record).toMatchObject({ role: 'operator', note: 'n', tenantId: 'team-a' });
    expect(await directory.byKey(first.key)).not.toBeNull();
    const third = await keys.rotate(second.record.keyId);
    await vi.waitFor(async () => expect(await directory.byKey(second.key)).toBeNull());
    expect(await directory.byKey(third.key)).not.toBeNull();
    await expect(keys.rotate('none')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('are not made expired, and are rotated into keys that live as long as they were made for', async () => {
    await expect(keys.create({ tenantId: 'team-a', expiresAtMs: Date.now() - 1 })).rejects.toMatchObject({
      code: 'invalid_request',
      param: 'expiresAtMs',
    });
    const lifetimeOf = ({ record }: CreatedKey) => (record.expiresAtMs ?? Number.NaN) - record.createdAtMs;
    const first = await keys.create({ tenantId: 'team-a', expiresAtMs: Date.now() + 86_400_000 });
    const second = await keys.rotate(first.record.keyId);
    expect(Math.abs(lifetimeOf(second) - lifetimeOf(first))).toBeLessThan(60_000);
    const third = await keys.rotate(second.record.keyId, 0, null);
    expect(third.record.expiresAtMs).toBeNull();
    expect((await keys.rotate(third.record.keyId)).record.expiresAtMs).toBeNull();
  });

  it('are not made for a tenant that does not exist, and go with their tenant', async () => {
    await expect(keys.create({ tenantId: 'nobody' })).rejects.toMatchObject({ code: 'not_found' });
    const { key } = await keys.create({ tenantId: 'team-a' });
    await tenants.remove('team-a');
    await vi.waitFor(async () => expect(await directory.byKey(key)).toBeNull());
  });
});

describe('a document of tenants', () => {
  it('restores another Redis to the same state, and changes nothing the second time', async () => {
    const { key } = await keys.create({ tenantId: 'team-a', note: 'kept' });
    await tenants.put({ id: 'team-b', credits: 'metered', models: ['m'], requestsPerMinute: 60 });
    await new TenantAccount(redis, 'team-b').grant('first', 12_500_000);
    await tenants.putPrices({ default: { prompt: 1, cachedPrompt: 0.5, completion: 2 }, models: {} });
    const document = JSON.parse(JSON.stringify(await exportTenancy(redis)));
    await redis.flushall();
    await applyTenancy(redis, document);
    expect(await exportTenancy(redis)).toEqual(document);
    const ledger = await redis.xlen(redisKeys.ledger('team-b'));
    await applyTenancy(redis, document);
    expect(await exportTenancy(redis)).toEqual(document);
    expect(await redis.xlen(redisKeys.ledger('team-b'))).toBe(ledger);
    expect(await directory.byKey(key)).not.toBeNull();
    expect((await new TenantAccount(redis, 'team-b').sums()).balance).toBe(12_500_000);
  });

  it('tells what it would change, field by field, and changes nothing then', async () => {
    const { record } = await keys.create({ tenantId: 'team-a', note: 'old' });
    await tenants.put({ id: 'team-b', credits: 'metered' });
    const before = await exportTenancy(redis);
    const hash = 'ab'.repeat(32);
    const wanted = {
      version: 1,
      prices: { models: { 'org/model': { prompt: 1, cachedPrompt: 0.1, completion: 3 } } },
      tenants: [
        { id: 'team-a', weight: 2, parameters: { maximumMaxTokens: 100 }, keys: [{ keyId: record.keyId, hash }] },
        { id: 'team-c', credits: 20, keys: [{ keyId: 'ci', hash: 'cd'.repeat(32) }] },
      ],
    };
    const changes = await applyTenancy(redis, wanted, { prune: true, dryRun: true });
    expect(changes.map(({ action, kind, id }) => `${action} ${kind} ${id}`)).toEqual([
      'update prices prices',
      'update tenant team-a',
      'create tenant team-c',
      `update key ${record.keyId}`,
      'create key ci',
      'remove tenant team-b',
    ]);
    expect(changes[1]?.fields).toEqual([
      { field: 'weight', from: 3, to: 2 },
      { field: 'parameters.maximumMaxTokens', from: null, to: 100 },
    ]);
    expect(await exportTenancy(redis)).toEqual(before);
    expect(await applyTenancy(redis, wanted, { prune: true })).toEqual(changes);
    expect(await applyTenancy(redis, wanted, { prune: true, dryRun: true })).toEqual([]);
  });

  it('rotates a key whose hash it changes: the old one is refused', async () => {
    const { key, record } = await keys.create({ tenantId: 'team-a' });
    const next = newApiKey();
    const documented = { keyId: record.keyId, hash: apiKeyHash(next) };
    await applyTenancy(redis, { version: 1, tenants: [{ id: 'team-a', keys: [documented] }] });
    await vi.waitFor(async () => expect(await directory.byKey(key)).toBeNull());
    expect((await directory.byKey(next))?.key.keyId).toBe(record.keyId);
  });

  it('leaves the account of a tenant alone that it calls metered', async () => {
    await tenants.put({ id: 'team-b', credits: 'metered' });
    await new TenantAccount(redis, 'team-b').grant('first', 5_000_000);
    const wanted = { version: 1, tenants: [{ id: 'team-b', credits: 'metered' }] };
    expect(await applyTenancy(redis, wanted)).toEqual([]);
    expect((await new TenantAccount(redis, 'team-b').sums()).balance).toBe(5_000_000);
  });

  it('is refused when it names a tenant or a key twice', async () => {
    const keysTwice = [
      { keyId: 'ci', hash: 'ab'.repeat(32) },
      { keyId: 'ci', hash: 'cd'.repeat(32) },
    ];
    const wrong = { version: 1, tenants: [{ id: 'team-x' }, { id: 'team-x', keys: keysTwice }] };
    const refusal = await applyTenancy(redis, wrong).catch((error: Error) => error);
    expect(String(refusal)).toMatch(/tenants\.1\.id: the tenant "team-x".*tenants\.1\.keys\.1\.keyId: the key "ci"/);
  });

  it('removes what it does not name only when told to', async () => {
    await keys.create({ tenantId: 'team-a' });
    const empty = { version: 1, tenants: [{ id: 'only' }] };
    await applyTenancy(redis, empty);
    expect((await tenants.list()).map((tenant) => tenant.id)).toEqual(['only', 'team-a']);
    await applyTenancy(redis, empty, { prune: true });
    expect((await tenants.list()).map((tenant) => tenant.id)).toEqual(['only']);
    expect(await keys.list()).toEqual([]);
  });

  it('is refused as a whole, naming each wrong field', async () => {
    const wrong = { version: 1, tenants: [{ id: 'fine' }, { id: 'Bad Id', weight: -1 }] };
    const refusal = await applyTenancy(redis, wrong).catch((error: Error) => error);
    expect(String(refusal)).toMatch(/tenants\.1\.id.*tenants\.1\.weight/);
    expect((await tenants.list()).map((tenant) => tenant.id)).toEqual(['team-a']);
  });
});
