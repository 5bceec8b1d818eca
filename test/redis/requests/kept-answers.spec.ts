import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectRedis, redisKeys } from '#queue';
import {
  IdempotencyKeys,
  idempotencyKeyHash,
  KeptAnswers,
  type RefusedRequest,
  RefusedRequests,
  ReplicaPresence,
  relayAddresses,
} from '#requests';
import { RedisServer } from '../../support/redis-server.ts';

const TENANT = 'team';
const limits = { keptMs: 60_000, mostBytes: 100, mostBytesPerTenant: 250 };
const request = Buffer.from('what was asked');

let server: RedisServer;
let redis: Redis;
let kept: KeptAnswers;
let keys: IdempotencyKeys;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = connectRedis(server.url, 'producer');
  await redis.ping().catch(() => new Promise((resolve) => redis.once('ready', resolve)));
});
afterAll(async () => {
  redis?.disconnect();
  await server?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await redis.flushall();
  kept = new KeptAnswers(redis, limits);
  keys = new IdempotencyKeys(redis);
});

const id = (requestId: string) => ({ tenantId: TENANT, requestId });
const bytes = (count: number) => Buffer.alloc(count, 'x');
const payloadsOf = async (requestId: string) =>
  (await kept.frames(id(requestId), '-')).map(({ payload }) => payload.length);
const claim = (requestId: string, fingerprint = 'asked', replaces: string | null = null) =>
  keys.claim({
    tenantId: TENANT,
    keyHash: idempotencyKeyHash('k'),
    fingerprint,
    requestId,
    replicaId: 'api-1',
    replaces,
  });

describe('a kept answer', () => {
  it('takes frames from its owner alone, and from nobody after its end', async () => {
    await kept.keep(id('r'), 'api-1', 1, request, null);
    expect(await kept.append(id('r'), 'api-2', 1, bytes(5), null)).toBe('lost');
    expect(await kept.append(id('r'), 'api-1', 1, bytes(7), null)).toBe('kept');
    expect(await kept.append(id('r'), 'api-1', 1, null, { state: 'ended', error: null })).toBe('kept');
    expect(await kept.append(id('r'), 'api-1', 1, bytes(9), null)).toBe('lost');
    expect(await payloadsOf('r')).toEqual([7]);
    expect(await kept.read(id('r'))).toMatchObject({ state: 'ended', owner: '', request });
  });

  it('goes to one of all who want to take it over, and counts the owners that died with it', async () => {
    await kept.keep(id('r'), 'api-0', 1, request, null);
    const takers = Array.from({ length: 20 }, (_, index) => `api-${index + 1}`);
    const taken = await Promise.all(takers.map((taker) => kept.adopt(id('r'), 'api-0', taker)));
    expect(taken.filter((adopted) => adopted !== null)).toEqual([{ epoch: 2, losses: 1 }]);
    const owner = takers[taken.findIndex((adopted) => adopted !== null)] ?? '';
    expect([await kept.owned('api-0'), await kept.owned(owner)]).toEqual([[], [id('r')]]);
    await kept.append(id('r'), owner, 2, null, { state: 'released', error: null });
    // Who left it in order was not lost.
    expect(await kept.adopt(id('r'), '', 'api-99')).toEqual({ epoch: 3, losses: 1 });
    expect(await kept.append(id('r'), owner, 2, bytes(3), null)).toBe('lost');
  });

  it('is dropped when it outgrows its bytes, and the oldest of a tenant make room', async () => {
    for (const each of ['one', 'two', 'three']) {
      await kept.keep(id(each), 'api-1', 1, request, null);
      expect(await kept.append(id(each), 'api-1', 1, bytes(80), { state: 'ended', error: null })).toBe('kept');
    }
    expect(await kept.read(id('one'))).toBeNull();
    expect([await payloadsOf('one'), await payloadsOf('three')]).toEqual([[], [80]]);
    await kept.keep(id('large'), 'api-1', 1, request, null);
    expect(await kept.append(id('large'), 'api-1', 1, bytes(101), null)).toBe('dropped');
    expect((await kept.read(id('large')))?.state).toBe('dropped');
    expect(Number(await redis.hget(redisKeys.keptBytes(TENANT), 'total'))).toBeLessThanOrEqual(
      limits.mostBytesPerTenant,
    );
  });

  it('is forgotten in time, and its idempotency key with it', async () => {
    kept = new KeptAnswers(redis, { ...limits, keptMs: 800 });
    expect((await claim('r')).verdict).toBe('new');
    await kept.keep(id('r'), 'api-1', 1, request, idempotencyKeyHash('k'));
    await kept.append(id('r'), 'api-1', 1, bytes(5), { state: 'ended', error: null });
    expect(await claim('s')).toEqual({ verdict: 'attach', requestId: 'r', replicaId: 'api-1' });
    expect((await claim('s', 'something else')).verdict).toBe('mismatch');
    await sleep(850);
    expect([await kept.read(id('r')), await kept.frames(id('r'), '-')]).toEqual([null, []]);
    expect((await claim('s', 'something else')).verdict).toBe('new');
    await sleep(200);
    const left = await redis.keys('*answer*');
    for (const key of left) expect(await redis.pttl(key)).toBeGreaterThan(-1);
  });
});

describe('an idempotency key', () => {
  it('is given to one of all who come together, and is free again when that one was refused', async () => {
    const verdicts = await Promise.all(Array.from({ length: 20 }, (_, index) => claim(`r${index}`)));
    expect(verdicts.filter(({ verdict }) => verdict === 'new')).toHaveLength(1);
    expect(new Set(verdicts.map(({ verdict }) => verdict))).toEqual(new Set(['new', 'pending']));
    const holder = verdicts[0]?.requestId ?? '';
    await keys.release(TENANT, idempotencyKeyHash('k'), 'somebody else');
    expect((await claim('late')).verdict).toBe('pending');
    await keys.release(TENANT, idempotencyKeyHash('k'), holder);
    expect((await claim('late')).verdict).toBe('new');
  });

  it('goes to another request when its replica died before it began, which then runs nothing should it only have slept', async () => {
    await claim('slept');
    expect(await claim('next')).toEqual({ verdict: 'pending', requestId: 'slept', replicaId: 'api-1' });
    expect((await claim('next', 'asked', 'slept')).verdict).toBe('new');
    expect(await kept.keep(id('slept'), 'api-1', 1, request, idempotencyKeyHash('k'))).toBe(false);
    expect(await kept.read(id('slept'))).toBeNull();
    expect(await kept.keep(id('next'), 'api-2', 1, request, idempotencyKeyHash('k'))).toBe(true);
  });

  it('begins anew in the place of a request that failed, once', async () => {
    await claim('r');
    await kept.keep(id('r'), 'api-1', 1, request, idempotencyKeyHash('k'));
    const verdicts = await Promise.all([claim('s', 'asked', 'r'), claim('t', 'asked', 'r')]);
    expect(verdicts.map(({ verdict }) => verdict).sort()).toEqual(['new', 'pending']);
  });
});

const replica = (replicaId: string, deadAfterMs: number) =>
  new ReplicaPresence(redis, { replicaId, relayAddress: `${replicaId}:7001`, deadAfterMs });

describe('replicas', () => {
  it('are dead when their heartbeat is gone, and forgotten once nothing is left to do for them', async () => {
    await using dying = replica('dying', 500);
    await using living = replica('living', 60_000);
    await Promise.all([dying.beat(), living.beat()]);
    await dying[Symbol.asyncDispose]();
    expect(await living.dead()).toEqual([]);
    await expect.poll(() => living.isAlive('dying')).toBe(false);
    expect(await living.isAlive('living')).toBe(true);
    expect(await living.dead()).toEqual(['dying']);
    await living.forget('dying');
    expect(await living.dead()).toEqual([]);
  });

  it('do not take themselves for dead, even where they could not say for long that they live', async () => {
    await using silent = replica('silent', 60_000);
    await using other = replica('other', 60_000);
    await silent.beat();
    await redis.del(redisKeys.replicaBeat('silent'));
    expect([await silent.isAlive('silent'), await other.isAlive('silent')]).toEqual([true, false]);
    expect([await silent.dead(), await other.dead()]).toEqual([[], ['silent']]);
  });
});

describe('relays', () => {
  it('are those of replicas that live and say where they are, until they leave or are silent', async () => {
    await redis.del(redisKeys.replicaRelays);
    expect(await relayAddresses(redis)).toEqual(new Map());
    const leaving = replica('leaving', 60_000);
    await using living = replica('living', 60_000);
    await using silent = replica('silent', 60_000);
    await Promise.all([leaving, living, silent].map((each) => each.beat()));
    // A replica of the release before says that it lives, and not where.
    await redis.set(redisKeys.replicaBeat('older'), 1, 'PX', 60_000);
    expect([...(await relayAddresses(redis))].sort()).toEqual([
      ['leaving', 'leaving:7001'],
      ['living', 'living:7001'],
      ['silent', 'silent:7001'],
    ]);
    await leaving[Symbol.asyncDispose]();
    await redis.zadd(redisKeys.replicaRelays, Date.now() - 60_000, 'silent silent:7001');
    expect(await relayAddresses(redis)).toEqual(new Map([['living', 'living:7001']]));
    await living.beat();
    expect(await redis.zcard(redisKeys.replicaRelays)).toBe(1);
    expect(await redis.pttl(redisKeys.replicaRelays)).toBeGreaterThan(0);
  });
});

describe('refused requests', () => {
  it('are listed, the newest first and so many, and do not stay for ever', async () => {
    const refused = new RefusedRequests(redis);
    const of = (requestId: string): RefusedRequest => ({
      ...{ requestId, tenantId: TENANT, model: 'm', refusedAtMs: 1, lost: 'worker', lostAttempts: 3 },
      ...{ lostIds: ['w'], promptTokens: 1, deliveredTokens: 0, fingerprint: 'f', cause: 'gone.' },
    });
    expect(await refused.list(10)).toEqual([]);
    for (const each of ['one', 'two', 'three']) await refused.add(of(each));
    expect(await refused.list(2)).toEqual([of('three'), of('two')]);
    expect(await redis.pttl(redisKeys.refusedRequests)).toBeGreaterThan(0);
  });
});
