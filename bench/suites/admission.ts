import { setTimeout as sleep } from 'node:timers/promises';
import { AdmissionGate, type AdmissionRequest, TenantRecord, TenantStore } from '#admission';
import { connectRedis, redisKeys } from '#queue';
import { RedisServer } from '../../test/support/redis-server.ts';
import { median, quantile } from '../report/statistics.ts';
import type { Row } from '../report/suite-report.ts';

const MODEL = 'bench/model';
const QUEUED = 100_000;
const TENANTS = 10_000;
const ROUNDS = 8;
const DECISIONS_PER_ROUND = 1_500;
const RATE_PER_S = 500;
const RATE_SECONDS = 10;

type Connection = ReturnType<typeof connectRedis>;

/** One Redis with a gate on it. */
interface Side extends AsyncDisposable {
  readonly redis: Connection;
  readonly gate: AdmissionGate;
}

/** Long leases, so that no heartbeat for 100,000 requests of one process falls into the measurement. */
async function openSide(): Promise<Side> {
  const server = await RedisServer.start();
  const redis = connectRedis(server.url, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
  const gate = new AdmissionGate({ redis, queuePlaces: 1_000_000, leaseMs: 600_000 });
  return {
    redis,
    gate,
    async [Symbol.asyncDispose]() {
      await gate[Symbol.asyncDispose]();
      redis.disconnect();
      await server[Symbol.asyncDispose]();
    },
  };
}

const tenants = Array.from({ length: TENANTS }, (_, index) =>
  TenantRecord.parse({
    id: `tenant-${index}`,
    weight: 1 + (index % 8),
    requestsPerMinute: 1_000_000,
    tokensPerMinute: 1_000_000_000,
    concurrency: 100_000,
    queueShare: 1,
  }),
);

let sequence = 0;
function request(tenant: TenantRecord): AdmissionRequest {
  sequence += 1;
  return {
    requestId: `bench-${sequence}`,
    tenant,
    keyId: 'key',
    model: MODEL,
    price: { prompt: 1, cachedPrompt: 1, completion: 1 },
    workers: 4,
    slots: 128,
    promptTokens: 50 + (sequence % 400),
    completionTokensLimit: 256,
    longestWaitMs: null,
    refusedBefore: null,
  };
}

/** As many tenants and waiting requests as a large cluster has: real places, and jobs in BullMQ's sorted set. */
async function fill({ redis, gate }: Side): Promise<void> {
  const store = new TenantStore(redis);
  for (let from = 0; from < TENANTS; from += 500) {
    await Promise.all(tenants.slice(from, from + 500).map((tenant) => store.put(tenant)));
  }
  const prioritized = redisKeys.prioritizedJobs(MODEL);
  for (let from = 0; from < QUEUED; from += 500) {
    await Promise.all(
      Array.from({ length: 500 }, async (_, index) => {
        const tenant = tenants[(from + index) % TENANTS];
        if (tenant === undefined) throw new Error('no tenant');
        const decision = await gate.decide(request(tenant));
        if (!decision.admitted) throw decision.error;
        const score = decision.handle.priority * 2 ** 32 + from + index;
        await redis.zadd(prioritized, score, redisKeys.jobId(decision.handle.requestId, 1));
      }),
    );
  }
}

/** Cost of one decision after the other, each given back at once so that the side stays as it is. @returns ms of each */
async function measure({ gate }: Side, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const tenant = tenants[(index * 7) % 50];
    if (tenant === undefined) throw new Error('no tenant');
    const wanted = request(tenant);
    const startedMs = performance.now();
    const decision = await gate.decide(wanted);
    times.push(performance.now() - startedMs);
    if (!decision.admitted) throw decision.error;
    await decision.handle.release();
  }
  return times;
}

/** Decisions at a fixed rate, whether or not earlier ones are done. @returns ms of each, from when it was sent */
async function measureAtRate({ gate }: Side): Promise<number[]> {
  const times: number[] = [];
  const running: Promise<void>[] = [];
  const startedMs = performance.now();
  for (let index = 0; index < RATE_PER_S * RATE_SECONDS; index += 1) {
    const dueMs = startedMs + (index * 1_000) / RATE_PER_S;
    while (performance.now() < dueMs) await sleep(1);
    const tenant = tenants[index % 50];
    if (tenant === undefined) throw new Error('no tenant');
    const sentMs = performance.now();
    running.push(
      gate.decide(request(tenant)).then(async (decision) => {
        times.push(performance.now() - sentMs);
        if (!decision.admitted) throw decision.error;
        await decision.handle.release();
      }),
    );
  }
  await Promise.all(running);
  return times;
}

/** The whole admission decision (both scripts, over TCP) with a full queue and many tenants against empty ones, in turns. */
export async function admissionSuite(): Promise<Row[]> {
  await using empty = await openSide();
  await using full = await openSide();
  await fill(full);
  const costs = { empty: [] as number[], full: [] as number[] };
  for (let round = 0; round <= ROUNDS; round += 1) {
    const emptyMs = await measure(empty, DECISIONS_PER_ROUND);
    const fullMs = await measure(full, DECISIONS_PER_ROUND);
    if (round === 0) continue; // warms connections and the JIT
    costs.empty.push(...emptyMs);
    costs.full.push(...fullMs);
  }
  const atRate = await measureAtRate(full);
  const ratio = median(costs.full) / median(costs.empty);
  return [
    {
      name: `decision p50, ${QUEUED} queued and ${TENANTS} tenants`,
      value: median(costs.full),
      unit: 'ms',
      peer: 'empty Redis',
      peerValue: median(costs.empty),
      ratio,
      target: '<= 1.3x',
      holds: ratio <= 1.3,
    },
    {
      name: `decision p50, ${RATE_PER_S} a second, full queue`,
      value: median(atRate),
      unit: 'ms',
      peer: null,
      peerValue: null,
      ratio: null,
      target: null,
      holds: null,
    },
    {
      name: `decision p99, ${RATE_PER_S} a second, full queue`,
      value: quantile(atRate, 0.99),
      unit: 'ms',
      peer: null,
      peerValue: null,
      ratio: null,
      target: '< 5 ms',
      holds: quantile(atRate, 0.99) < 5,
    },
  ];
}
