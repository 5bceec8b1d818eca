import { setTimeout as sleep } from 'node:timers/promises';
import { KeyStore, TenantStore } from '#admission';
import { openModelFolder } from '#models';
import { connectRedis, redisKeys } from '#queue';
import { ProductProcess } from '../../test/support/product-process.ts';
import { RedisServer } from '../../test/support/redis-server.ts';
import { median, quantile } from '../report/statistics.ts';
import type { Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';

/** One HTTP request as its client saw it. */
export interface LoadSample {
  /** 1 for the first try of a client. */
  tries: number;
  /** Unix time in ms. */
  sentMs: number;
  /** 0 when no answer came. */
  status: number;
  durationMs: number;
  firstTokenMs: number | null;
  /** The stream ended with [DONE]. */
  done: boolean;
  advertisedWaitMs: number | null;
  retryAfterMs: number | null;
}

const TENANTS = 8;
const SLOTS = 16;
/** 25 requests a second. */
const MEAN_SERVICE_MS = 640;
const CAPACITY_PER_S = (SLOTS * 1_000) / MEAN_SERVICE_MS;
const OVERLOAD = 10;
/** Waits below this are not told apart from none: scheduling and the wire take as long. */
const LEAST_WAIT_MS = 500;
/** Refusals of the first seconds meet cold code. */
const WARM_UP_MS = 2_000;

interface Lengths {
  readonly peakSeconds: number;
  readonly overloadSeconds: number;
  readonly burstSeconds: number;
  /** What waits longest at the end must be served within the 60 s that a client can be told to wait. */
  readonly queuePlaces: number;
}
const FULL: Lengths = { peakSeconds: 20, overloadSeconds: 60, burstSeconds: 10, queuePlaces: 1_000 };
const QUICK: Lengths = { peakSeconds: 8, overloadSeconds: 15, burstSeconds: 3, queuePlaces: 200 };

/**
 * Ten times the capacity for a minute: what is still served, and how quick refusals are; then a burst after which refused
 * clients come back when they were told to. One API replica, Redis, and a worker whose work costs nothing, as processes.
 */
export async function overloadSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const lengths = quick ? QUICK : FULL;
  await using redis = await RedisServer.start();
  const keys = await tenantKeys(redis.url);
  const folder = await openModelFolder('test/fixtures/models/tiny-llama');
  const card = folder.card({ model: 'tiny-llama', contextLength: 256 });
  await using worker = await Side.start('timed-worker.ts', {
    redisUrl: redis.url,
    card,
    slots: SLOTS,
    meanServiceMs: MEAN_SERVICE_MS,
  });
  await using api = await ProductProcess.start('api', {
    REDIS_URL: redis.url,
    MILLRACE_QUEUE_PLACES: String(lengths.queuePlaces),
    MILLRACE_LOG_LEVEL: 'warn',
  });
  await using load = await Side.start('overload-load.ts', { url: api.url, model: card.model, keys });
  await worker.measure({});

  const peak = () =>
    load.measure<LoadSample[]>({
      loop: { kind: 'closed', clients: 2 * SLOTS },
      seconds: lengths.peakSeconds,
      retries: false,
      patienceMs: 10_000,
    });
  const flood = (seconds: number, retries: boolean, patienceMs: number) =>
    load.measure<LoadSample[]>({
      loop: { kind: 'open', ratePerS: OVERLOAD * CAPACITY_PER_S },
      seconds,
      retries,
      patienceMs,
    });

  await peak(); // warms connections and the JIT
  // The burst comes first: clients of the overload do not come back, and their appointments would stand until they lapse.
  const burst = await flood(lengths.burstSeconds, true, 180_000);
  const before = goodput(await peak(), lengths.peakSeconds);
  const overload = await flood(lengths.overloadSeconds, false, 1_000);
  await queueIsEmpty(redis.url, card.model);
  const after = goodput(await peak(), lengths.peakSeconds);

  const peakPerS = Math.max(before, after);
  const under = goodput(overload, lengths.overloadSeconds);
  const beganMs = overload[0]?.sentMs ?? 0;
  const refusals = overload.filter(({ status, sentMs }) => status === 429 && sentMs > beganMs + WARM_UP_MS);
  const broken = [...overload, ...burst].filter(({ status }) => status !== 200 && status !== 429 && status !== 0);
  const refusalsMs = refusals.map(({ durationMs }) => durationMs);
  const firstRetries = burst.filter(({ tries }) => tries === 2);
  const admittedAtFirst = firstRetries.filter(({ status }) => status === 200).length / firstRetries.length;
  const misses = burst.flatMap(({ advertisedWaitMs, firstTokenMs }) =>
    firstTokenMs === null || advertisedWaitMs === null || firstTokenMs < LEAST_WAIT_MS
      ? []
      : [Math.abs(advertisedWaitMs - firstTokenMs) / firstTokenMs],
  );
  const served = burst.filter(({ done }) => done).length / burst.filter(({ tries }) => tries === 1).length;
  const alone = { peer: null, peerValue: null, ratio: null };
  return [
    {
      name: `goodput at ${OVERLOAD} times the capacity for ${lengths.overloadSeconds} s`,
      value: under,
      unit: 'answers/s',
      peer: 'peak of a closed loop',
      peerValue: peakPerS,
      ratio: under / peakPerS,
      target: '>= 0.95x',
      holds: under / peakPerS >= 0.95,
    },
    { name: 'refusals p50', value: median(refusalsMs), unit: 'ms', ...alone, target: null, holds: null },
    {
      name: `refusals p99 (${refusals.length})`,
      value: quantile(refusalsMs, 0.99),
      unit: 'ms',
      ...alone,
      target: '< 20 ms',
      holds: quantile(refusalsMs, 0.99) < 20,
    },
    {
      name: 'answers that are neither 200 nor 429',
      value: broken.length,
      unit: '',
      ...alone,
      target: '0',
      holds: broken.length === 0,
    },
    {
      name: `admitted at the first retry after a burst of ${lengths.burstSeconds} s (${firstRetries.length} refused)`,
      value: 100 * admittedAtFirst,
      unit: '%',
      ...alone,
      target: '>= 90 %',
      holds: admittedAtFirst >= 0.9,
    },
    {
      name: `advertised wait against the real one, median error (${misses.length} that waited)`,
      value: 100 * median(misses),
      unit: '%',
      ...alone,
      target: '<= 30 %',
      holds: median(misses) <= 0.3,
    },
    { name: 'of the burst, served in the end', value: 100 * served, unit: '%', ...alone, target: null, holds: null },
  ];
}

/** Complete answers a second, of those that ended in the time in which was asked. */
function goodput(samples: readonly LoadSample[], seconds: number): number {
  const beganMs = Math.min(...samples.map(({ sentMs }) => sentMs));
  const fromMs = beganMs + WARM_UP_MS;
  const untilMs = beganMs + seconds * 1_000;
  const ended = samples.filter(({ done, sentMs, durationMs }) => {
    const endedMs = sentMs + durationMs;
    return done && endedMs >= fromMs && endedMs < untilMs;
  });
  return (ended.length * 1_000) / (untilMs - fromMs);
}

async function tenantKeys(redisUrl: string): Promise<string[]> {
  const redis = connectRedis(redisUrl, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
  try {
    const tenants = new TenantStore(redis);
    const keys = new KeyStore(redis);
    const made: string[] = [];
    for (let index = 0; index < TENANTS; index += 1) {
      const id = `tenant-${index}`;
      await tenants.put({ id });
      made.push((await keys.create({ tenantId: id })).key);
    }
    return made;
  } finally {
    redis.disconnect();
  }
}

async function queueIsEmpty(redisUrl: string, model: string): Promise<void> {
  const redis = connectRedis(redisUrl, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
  try {
    const busy = async () =>
      (await redis.zcard(redisKeys.prioritizedJobs(model))) + (await redis.llen(redisKeys.activeJobs(model)));
    while ((await busy()) > 0) await sleep(100);
  } finally {
    redis.disconnect();
  }
}
