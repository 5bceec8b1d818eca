import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AdmissionGate, type Decision, microcreditsOf, TenantAccount } from '#admission';
import { connectRedis } from '#queue';
import { admissionRequest } from '../../support/admission-request.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { RedisServer } from '../../support/redis-server.ts';

let server: RedisServer;
let redis: Redis;
let clock: ManualClock;
let gate: AdmissionGate;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  redis = connectRedis(server.url, 'producer');
  clock = new ManualClock();
  gate = new AdmissionGate({ redis, clock, leaseMs: 15_000 });
  await new Promise((resolve) => redis.once('ready', resolve));
  await redis.flushall();
});
afterEach(async () => {
  await gate[Symbol.asyncDispose]();
  redis.disconnect();
});

const used = { promptTokens: 100, cachedTokens: 0, completionTokens: 10 };

function refusal(decision: Decision) {
  if (decision.admitted) throw new Error('was admitted');
  return decision;
}
function handleOf(decision: Decision) {
  if (!decision.admitted) throw decision.error;
  return decision.handle;
}

describe('limits under attack', () => {
  it('admits exactly as much as allowed to 1,000 concurrent requests on each of 4 replicas', async () => {
    await using stack = new AsyncDisposableStack();
    const connections = Array.from({ length: 4 }, () => connectRedis(server.url, 'producer'));
    const gates = connections.map((connection) => {
      stack.defer(() => connection.disconnect());
      return stack.use(new AdmissionGate({ redis: connection, queuePlaces: 10_000 }));
    });
    await Promise.all(connections.map((connection) => new Promise((resolve) => connection.once('ready', resolve))));
    await new TenantAccount(redis, 'by-credits').grant('g', microcreditsOf(5_000));
    // Replicas give up after 2 s, in which a busy machine does not answer 4,000 of one process: their timers stand still.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    stack.defer(() => void vi.useRealTimers());
    const attack = async (tenant: Parameters<typeof admissionRequest>[0]) => {
      const decisions = await Promise.all(
        gates.flatMap((replica) =>
          Array.from({ length: 1_000 }, () =>
            replica.decide(
              admissionRequest(
                { queueShare: 1, ...tenant },
                { price: { prompt: 10, cachedPrompt: 10, completion: 10 } },
              ),
            ),
          ),
        ),
      );
      const codes = decisions.map((decision) => (decision.admitted ? 'admitted' : decision.error.code));
      return (code: string) => codes.filter((candidate) => candidate === code).length;
    };

    const byRequests = await attack({ id: 'by-requests', requestsPerMinute: 100 });
    expect([byRequests('admitted'), byRequests('rate_limit_exceeded')]).toEqual([100, 3_900]);
    const byConcurrency = await attack({ id: 'by-concurrency', concurrency: 10 });
    expect([byConcurrency('admitted'), byConcurrency('rate_limit_exceeded')]).toEqual([10, 3_990]);
    const byTokens = await attack({ id: 'by-tokens', tokensPerMinute: 50_499 });
    expect(byTokens('admitted')).toBe(100);
    // 500 tokens at 10 credits per thousand hold 5 credits each.
    const byCredits = await attack({ id: 'by-credits', credits: 'metered' });
    expect([byCredits('admitted'), byCredits('insufficient_credits')]).toEqual([1_000, 3_000]);
    expect((await new TenantAccount(redis, 'by-credits').sums()).balance).toBe(0);
  }, 60_000);
});

describe('refusals', () => {
  it('says when a place in the minute is free again, and it is', async () => {
    const tenant = { requestsPerMinute: 2 };
    expect((await gate.decide(admissionRequest(tenant))).admitted).toBe(true);
    clock.advance(10_000);
    expect((await gate.decide(admissionRequest(tenant))).admitted).toBe(true);
    clock.advance(1_000);
    const refused = refusal(await gate.decide(admissionRequest(tenant)));
    expect(refused.error.code).toBe('rate_limit_exceeded');
    expect(refused.rates?.requests).toMatchObject({ limit: 2, remaining: 0 });
    const waitMs = refused.error.retryAfterMs ?? 0;
    expect(waitMs).toBeGreaterThanOrEqual(49_000);
    expect(waitMs).toBeLessThanOrEqual(49_250);
    clock.advance(waitMs - 1);
    expect((await gate.decide(admissionRequest(tenant))).admitted).toBe(false);
    clock.advance(1);
    expect((await gate.decide(admissionRequest(tenant))).admitted).toBe(true);
  });

  it('gives unused tokens back to the minute when the answer is over', async () => {
    const tenant = { tokensPerMinute: 600 };
    const handle = handleOf(await gate.decide(admissionRequest(tenant)));
    expect(refusal(await gate.decide(admissionRequest(tenant))).rates?.tokens.remaining).toBe(100);
    await handle.started();
    await handle.settle('completed', used);
    const next = await gate.decide(admissionRequest(tenant, { completionTokensLimit: 390 }));
    expect(next.admitted && next.rates.tokens.remaining).toBe(0);
  });

  it('frees the place of a request when its tokens come, and of one that ends before any came', async () => {
    const waiting = 'millrace:v1:{org%2Fmodel%3A1}:waiting';
    const [quick, cancelled] = [
      handleOf(await gate.decide(admissionRequest())),
      handleOf(await gate.decide(admissionRequest())),
    ];
    expect(await redis.zcard(waiting)).toBe(2);
    const started = quick.started();
    quick.delivering();
    await started;
    expect(await redis.zrange(waiting, 0, -1)).toEqual([cancelled.requestId]);
    void cancelled.started();
    await cancelled.settle('cancelled', { promptTokens: 0, cachedTokens: 0, completionTokens: 0 });
    expect(await redis.zcard(waiting)).toBe(0);
    await quick.settle('completed', used);
    expect(await redis.zcard('millrace:v1:{team-a}:leases')).toBe(0);
  });

  it('consumes nothing of the tenant when the model refuses', async () => {
    const small = new AdmissionGate({ redis, clock, queuePlaces: 1 });
    const tenant = { requestsPerMinute: 5, tokensPerMinute: 5_000, concurrency: 5, credits: 'metered' as const };
    const account = new TenantAccount(redis, 'team-a', clock);
    await account.grant('first', microcreditsOf(100));
    expect((await small.decide(admissionRequest(tenant))).admitted).toBe(true);
    const before = [await account.sums(), await redis.hgetall('millrace:v1:{team-a}:window')];
    const refused = refusal(await small.decide(admissionRequest(tenant)));
    expect(refused.error.code).toBe('queue_full');
    expect(refused.rates).toMatchObject({ requests: { remaining: 4 }, tokens: { remaining: 4_500 } });
    expect([await account.sums(), await redis.hgetall('millrace:v1:{team-a}:window')]).toEqual(before);
    expect(await redis.zcard('millrace:v1:{team-a}:leases')).toBe(1);
    await small[Symbol.asyncDispose]();
  });

  it('tells apart a model that is not allowed, one without workers, and a request that can never fit', async () => {
    expect(refusal(await gate.decide(admissionRequest({ models: ['other'] }))).error.code).toBe('model_not_allowed');
    expect(refusal(await gate.decide(admissionRequest({}, { workers: 0 }))).error.code).toBe('no_workers');
    const neverFits = refusal(await gate.decide(admissionRequest({ tokensPerMinute: 499 }))).error;
    expect(neverFits).toMatchObject({ code: 'invalid_request', param: 'max_tokens', retryable: false });
  });

  it('refuses a wait that is longer than the client accepts, and says how long it would be', async () => {
    for (let index = 0; index < 6; index += 1) {
      await redis.zadd('millrace:v1:queue:{org%2Fmodel%3A1}:prioritized', 2 ** 32 + index, `job-${index}`);
    }
    const patient = handleOf(await gate.decide(admissionRequest()));
    await patient.started();
    clock.advance(4_000);
    await patient.settle('completed', used);
    // 6 jobs ahead, 4 slots free, 1 s per job on average: three jobs' time.
    const hasty = refusal(await gate.decide(admissionRequest({}, { longestWaitMs: 2_999 })));
    expect([hasty.error.code, hasty.error.retryAfterMs]).toEqual(['queue_timeout', 1]);
    const waits = await gate.decide(admissionRequest({}, { longestWaitMs: 3_000 }));
    expect(waits).toMatchObject({ admitted: true, ahead: 6, waitMs: 3_000 });
  });

  it('keeps a tenant to its share of the queue while others still get in', async () => {
    const shared = new AdmissionGate({ redis, clock, queuePlaces: 10 });
    for (let index = 0; index < 5; index += 1) handleOf(await shared.decide(admissionRequest()));
    expect(refusal(await shared.decide(admissionRequest())).error.code).toBe('queue_full');
    expect((await shared.decide(admissionRequest({ id: 'team-b' }))).admitted).toBe(true);
    await shared[Symbol.asyncDispose]();
  });

  it('answers 503 overloaded when BullMQ holds more than it ever should', async () => {
    const full = new AdmissionGate({ redis, clock, queuePlaces: 2 });
    for (let index = 0; index < 4; index += 1) {
      await redis.zadd('millrace:v1:queue:{org%2Fmodel%3A1}:prioritized', 2 ** 32 + index, `job-${index}`);
    }
    expect(refusal(await full.decide(admissionRequest())).error.code).toBe('overloaded');
    await full[Symbol.asyncDispose]();
  });

  it('keeps a free place for the client that was told of it, from first tries of its own tenant only', async () => {
    const small = new AdmissionGate({ redis, clock, queuePlaces: 4 });
    const ask = (id: string, refusedBefore: boolean) =>
      small.decide(admissionRequest({ id, queueShare: 1 }, { refusedBefore }));
    const handles = [];
    for (let index = 0; index < 4; index += 1) handles.push(handleOf(await ask('flood', false)));
    const waitMs = refusal(await ask('flood', false)).error.retryAfterMs ?? 0;
    await handles[0]?.started();
    clock.advance(waitMs - 100);
    expect(refusal(await ask('flood', false)).error.code).toBe('queue_full');
    expect((await ask('flood', true)).admitted).toBe(true);
    await handles[1]?.started();
    expect((await ask('light', false)).admitted).toBe(true);
    await small[Symbol.asyncDispose]();
  });

  it('lets an appointment lapse that nobody keeps', async () => {
    const small = new AdmissionGate({ redis, clock, queuePlaces: 4, leaseMs: 600_000 });
    const ask = () => small.decide(admissionRequest({ queueShare: 1 }, { refusedBefore: false }));
    const handles = [];
    for (let index = 0; index < 4; index += 1) handles.push(handleOf(await ask()));
    const waitMs = refusal(await ask()).error.retryAfterMs ?? 0;
    await handles[0]?.started();
    clock.advance(waitMs + 3_001);
    expect((await ask()).admitted).toBe(true);
    await small[Symbol.asyncDispose]();
  });

  it('spreads refused clients over the time in which places come free', async () => {
    const small = new AdmissionGate({ redis, clock, queuePlaces: 1 });
    handleOf(await small.decide(admissionRequest()));
    const waits: number[] = [];
    for (let index = 0; index < 5; index += 1) {
      waits.push(refusal(await small.decide(admissionRequest({ id: `team-${index}` }))).error.retryAfterMs ?? 0);
    }
    // 4 slots and 2 s assumed per request: a place each 500 ms.
    expect(waits).toEqual([500, 1_000, 1_500, 2_000, 2_500]);
    await small[Symbol.asyncDispose]();
  });
});

describe('leases', () => {
  it('come back by themselves when their replica dies, with the hold', async () => {
    const dead = new AdmissionGate({ redis, clock, leaseMs: 15_000 });
    const tenant = { concurrency: 1, credits: 'metered' as const };
    const account = new TenantAccount(redis, 'team-a', clock);
    await account.grant('first', microcreditsOf(1));
    const lost = handleOf(await dead.decide(admissionRequest(tenant)));
    await dead[Symbol.asyncDispose]();
    expect(
      refusal(await gate.decide(admissionRequest(tenant, { promptTokens: 1, completionTokensLimit: 1 }))).error.code,
    ).toBe('rate_limit_exceeded');
    clock.advance(20_000);
    expect((await gate.decide(admissionRequest(tenant))).admitted).toBe(true);
    expect((await account.sums()).held).toBe(900_000);
    await lost.started();
    await lost.settle('completed', used);
    expect(await account.sums()).toMatchObject({ held: 900_000, spent: 0, balance: 100_000 });
  });

  it('stand as long as their replica renews them', async () => {
    const handle = handleOf(await gate.decide(admissionRequest({ concurrency: 1 })));
    for (let beat = 0; beat < 10; beat += 1) {
      clock.advance(5_000);
      await gate.heartbeat();
    }
    expect(await gate.sweep()).toBe(0);
    expect(refusal(await gate.decide(admissionRequest({ concurrency: 1 }))).error.code).toBe('rate_limit_exceeded');
    await handle.started();
    await handle.settle('completed', used);
    expect((await gate.decide(admissionRequest({ concurrency: 1 }))).admitted).toBe(true);
  });

  it('of a disposed handle are free, and the request has cost nothing', async () => {
    const account = new TenantAccount(redis, 'team-a', clock);
    await account.grant('first', microcreditsOf(10));
    {
      await using handle = handleOf(await gate.decide(admissionRequest({ concurrency: 1, credits: 'metered' })));
      expect(handle.state).toBe('waiting');
    }
    expect(gate.openRequests).toBe(0);
    expect(await account.sums()).toEqual({
      granted: 10_000_000,
      renewed: 0,
      balance: 10_000_000,
      held: 0,
      spent: 0,
      expired: 0,
    });
    expect(await redis.zcard('millrace:v1:{team-a}:leases')).toBe(0);
  });
});

describe('a lost Redis', () => {
  it('refuses with 503 at once, settles what ended meanwhile, and admits again when Redis is back', async () => {
    await using lasting = await RedisServer.start({ append: true });
    const connection = connectRedis(lasting.url, 'producer');
    await new Promise((resolve) => connection.once('ready', resolve));
    const replica = new AdmissionGate({ redis: connection });
    const account = new TenantAccount(connection, 'team-a');
    await account.grant('first', microcreditsOf(10));
    const handle = handleOf(await replica.decide(admissionRequest({ credits: 'metered' })));
    await handle.started();
    await lasting.kill();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const refusalsMs: number[] = [];
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const startedMs = performance.now();
      const refused = refusal(await replica.decide(admissionRequest({ credits: 'metered' })));
      refusalsMs.push(performance.now() - startedMs);
      expect([refused.error.code, (refused.error.retryAfterMs ?? 0) > 0]).toEqual(['unavailable', true]);
    }
    // The quickest one: how long it takes when the machine lets it.
    expect(Math.min(...refusalsMs)).toBeLessThan(100);
    await handle.settle('completed', used);
    await lasting.restart();
    if (connection.status !== 'ready') await new Promise((resolve) => connection.once('ready', resolve));
    await replica.heartbeat();
    expect(await account.sums()).toEqual({
      granted: 10_000_000,
      renewed: 0,
      balance: 9_880_000,
      held: 0,
      spent: 120_000,
      expired: 0,
    });
    expect((await replica.decide(admissionRequest({ credits: 'metered' }))).admitted).toBe(true);
    await replica[Symbol.asyncDispose]();
    connection.disconnect();
  });
});
