import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AdmissionGate, type AdmissionHandle, ModelPlaces, queueOutlook } from '#admission';
import { connectRedis, redisKeys } from '#queue';
import { admissionRequest } from '../../support/admission-request.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { RedisServer } from '../../support/redis-server.ts';

const MODEL = 'org/model:1';
const LEASE_MS = 15_000;
/** Until a request of the model was measured. */
const ASSUMED_SERVICE_MS = 2_000;

let server: RedisServer;
let redis: Redis;
let clock: ManualClock;
let places: ModelPlaces;
let gate: AdmissionGate;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  redis = connectRedis(server.url, 'producer');
  clock = new ManualClock();
  places = new ModelPlaces(redis, MODEL, clock);
  gate = new AdmissionGate({ redis, clock, leaseMs: LEASE_MS });
  await new Promise((resolve) => redis.once('ready', resolve));
  await redis.flushall();
});
afterEach(async () => {
  await gate[Symbol.asyncDispose]();
  redis.disconnect();
});

/** What one more request is told at a model of one slot; it takes no place. */
async function told(): Promise<{ verdict: string; retryAfterMs: number }> {
  const holder = { requestId: 'asks', tenantId: 'other', weight: 1, costTokens: 1 };
  const limits = { places: 1_000, placesOfTenant: 1_000, mostJobs: 2_000, slots: 1 };
  const rest = { leaseMs: 60_000, longestWaitMs: 0, refusedBefore: null };
  const { verdict, retryAfterMs } = await places.take({ ...holder, ...limits, ...rest });
  if (verdict === 'placed') await places.leave(holder);
  return { verdict, retryAfterMs };
}
const FREE = { verdict: 'placed', retryAfterMs: 0 };
const HELD = { verdict: 'late', retryAfterMs: ASSUMED_SERVICE_MS };

const offered = () => redis.zrange(redisKeys.offered(MODEL), 0, -1);
const unused = { promptTokens: 10, cachedTokens: 0, completionTokens: 1 };

async function admitted(by = gate): Promise<AdmissionHandle> {
  const decision = await by.decide(admissionRequest());
  if (!decision.admitted) throw decision.error;
  return decision.handle;
}

/** A worker has taken it, and Redis knows. */
async function taken(handle: AdmissionHandle): Promise<void> {
  const started = handle.started();
  handle.delivering();
  await started;
}

describe('a request that was offered to its worker', () => {
  it('holds a slot for those that come behind it, until it has ended', async () => {
    expect(await told()).toEqual(FREE);
    await places.start('r1', 't', LEASE_MS);
    expect(await told()).toEqual(HELD);
    await places.finish('r1', ASSUMED_SERVICE_MS);
    expect(await told()).toEqual(FREE);
  });

  it('is not counted a second time when BullMQ has it', async () => {
    await places.start('r1', 't');
    expect(await told()).toEqual(FREE);
    await places.start('r2', 't', LEASE_MS);
    expect(await told()).toEqual(HELD);
    await places.leaveOffered('r2');
    expect(await told()).toEqual(FREE);
  });

  it('counts no longer than its lease, and leaves nothing behind then', async () => {
    await places.start('r1', 't', LEASE_MS);
    clock.advance(LEASE_MS - 1);
    expect(await told()).toEqual(HELD);
    clock.advance(1);
    expect(await told()).toEqual(FREE);
    await places.start('r2', 't', LEASE_MS);
    expect(await offered()).toEqual(['r2']);
  });

  it('has its lease renewed, unless it is gone', async () => {
    await places.start('r1', 't', LEASE_MS);
    clock.advance(LEASE_MS - 1);
    await places.renewOffered(['r1', 'ended'], LEASE_MS);
    expect(await offered()).toEqual(['r1']);
    clock.advance(LEASE_MS - 1);
    expect(await told()).toEqual(HELD);
    clock.advance(1);
    expect(await told()).toEqual(FREE);
  });

  it('holds a slot in what a request in the queue is told of its place', async () => {
    await redis.zadd(redisKeys.prioritizedJobs(MODEL), 2 ** 32, 'before-1', 2 ** 32 + 1, 'waits-1');
    expect(await places.position('waits', 1, 2)).toEqual({ ahead: 1, waitMs: 0 });
    await places.start('r1', 't', LEASE_MS);
    expect(await places.position('waits', 1, 2)).toEqual({ ahead: 1, waitMs: ASSUMED_SERVICE_MS / 2 });
    await redis.lpush(redisKeys.activeJobs(MODEL), 'of the queue');
    expect(await places.position('waits', 1, 2)).toEqual({ ahead: 1, waitMs: ASSUMED_SERVICE_MS });
    clock.advance(LEASE_MS);
    expect(await places.position('waits', 1, 2)).toEqual({ ahead: 1, waitMs: ASSUMED_SERVICE_MS / 2 });
  });

  it('makes workers be told of one that comes behind it, since that may be due a seat', async () => {
    const ask = async (requestId: string) => {
      const holder = { requestId, tenantId: 't', weight: 1, costTokens: 1 };
      const limits = { places: 1_000, placesOfTenant: 1_000, mostJobs: 2_000, slots: 4 };
      return places.take({ ...holder, ...limits, leaseMs: 60_000, longestWaitMs: null, refusedBefore: null });
    };
    expect((await ask('first')).mayBeDue).toBe(false);
    await places.start('first', 't', LEASE_MS);
    expect((await ask('second')).mayBeDue).toBe(true);
    await places.finish('first', 100);
    expect((await ask('third')).mayBeDue).toBe(false);
  });

  it('is one of those that workers hold in the outlook of its model', async () => {
    const now = new ManualClock(Date.now());
    const current = new ModelPlaces(redis, MODEL, now);
    await redis.lpush(redisKeys.activeJobs(MODEL), 'of the queue');
    expect(await queueOutlook(redis, MODEL, 2)).toMatchObject({ active: 1, waitMs: 0 });
    await current.start('r1', 't', 600_000);
    expect(await queueOutlook(redis, MODEL, 2)).toMatchObject({ active: 2, waitMs: ASSUMED_SERVICE_MS / 2 });
    now.advance(-600_000);
    await current.renewOffered(['r1'], 60_000);
    expect(await queueOutlook(redis, MODEL, 2)).toMatchObject({ active: 1, waitMs: 0 });
  });
});

describe('a request that may be offered', () => {
  const model = { slots: 2 };
  const groundOf = async (tenantId: string) => {
    const decision = await gate.decide(admissionRequest({ id: tenantId }, model));
    if (!decision.admitted) throw decision.error;
    return { ground: decision.mayOffer, handle: decision.handle };
  };

  it('is so while a slot is free, and while it is the only one of its tenant that waits beside held seats', async () => {
    const first = await groundOf('flood');
    expect(first.ground).toBe('free slot');
    first.handle.offering();
    await taken(first.handle);
    const second = await groundOf('flood');
    expect(second.ground).toBe('free slot');
    second.handle.offering();
    await taken(second.handle);
    expect((await groundOf('flood')).ground).toBe('due seat');
    // It would overtake the other one.
    expect((await groundOf('flood')).ground).toBe(null);
    const light = await groundOf('light');
    expect(light.ground).toBe('due seat');
    expect((await groundOf('light')).ground).toBe(null);
    await taken(light.handle);
    expect((await groundOf('light')).ground).toBe(null);
  });

  it('is not so while others wait although no worker holds anything', async () => {
    await redis.zadd(redisKeys.prioritizedJobs(MODEL), 4_294_967_296, 'waits-1');
    expect((await groundOf('light')).ground).toBe(null);
  });
});

describe('the handle of a request that is offered', () => {
  it('has it counted from when a worker has it until it is settled', async () => {
    const handle = await admitted();
    handle.offering();
    expect(handle.servedByOffer).toBe(false);
    expect(await offered()).toEqual([]);
    await taken(handle);
    expect(handle.servedByOffer).toBe(true);
    expect(await offered()).toEqual([handle.requestId]);
    const behind = await gate.decide(admissionRequest({}, { slots: 1 }));
    expect(behind).toMatchObject({ admitted: true, ahead: 0, waitMs: ASSUMED_SERVICE_MS });
    await handle.settle('completed', unused);
    expect(handle.servedByOffer).toBe(false);
    expect(await redis.exists(redisKeys.offered(MODEL))).toBe(0);
  });

  it('has it counted a moment after a worker has it, also when no tokens come', async () => {
    const handle = await admitted();
    handle.offering();
    await handle.started();
    expect(await offered()).toEqual([handle.requestId]);
  });

  it('leaves it to BullMQ when nobody took the offer', async () => {
    const handle = await admitted();
    handle.offering();
    handle.queueing([]);
    await taken(handle);
    expect([handle.servedByOffer, await offered()]).toEqual([false, []]);
    await handle.settle('completed', unused);
    const never = await admitted();
    never.offering();
    await never.settle('cancelled', unused);
    const released = await admitted();
    released.offering();
    await released.release();
    expect(await redis.exists(redisKeys.offered(MODEL))).toBe(0);
  });

  it('leaves it to BullMQ once its next attempt is queued, whether or not Redis had heard of the first', async () => {
    const [known, unknown] = [await admitted(), await admitted()];
    known.offering();
    await taken(known);
    expect(await offered()).toEqual([known.requestId]);
    known.queuedAgain();
    await vi.waitFor(async () => expect(await offered()).toEqual([]));
    unknown.offering();
    const started = unknown.started();
    unknown.queuedAgain();
    await started;
    for (const handle of [known, unknown]) {
      expect([handle.state, handle.servedByOffer]).toEqual(['serving', false]);
      handle.queuedAgain();
    }
    clock.advance(LEASE_MS / 3);
    await gate.heartbeat();
    expect(await offered()).toEqual([]);
  });

  it('leaves nothing behind when it is settled before Redis has heard that a worker has it', async () => {
    const handle = await admitted();
    handle.offering();
    const started = handle.started();
    await Promise.all([handle.settle('completed', unused), started]);
    expect(await redis.exists(redisKeys.offered(MODEL))).toBe(0);
    expect(await redis.exists(redisKeys.waiting(MODEL))).toBe(0);
  });

  it('has it counted for as long as its replica lives, and one lease longer', async () => {
    const other = new AdmissionGate({ redis, clock, leaseMs: LEASE_MS });
    const [lives, dies, waits] = [await admitted(), await admitted(other), await admitted()];
    for (const handle of [lives, dies]) {
      handle.offering();
      await taken(handle);
    }
    waits.offering();
    await other[Symbol.asyncDispose]();
    const counted = async () => {
      const left = await redis.zrangebyscore(redisKeys.offered(MODEL), `(${clock.nowMs()}`, '+inf');
      return left.sort();
    };
    const beats = async (count: number) => {
      for (let beat = 0; beat < count; beat += 1) {
        clock.advance(LEASE_MS / 3);
        await gate.heartbeat();
      }
    };
    await beats(2);
    expect(await counted()).toEqual([lives.requestId, dies.requestId].sort());
    await beats(8);
    expect(await counted()).toEqual([lives.requestId]);
    lives.handOver();
    await beats(2);
    expect(await counted()).toEqual([lives.requestId]);
    await beats(1);
    expect(await counted()).toEqual([]);
  });
});
