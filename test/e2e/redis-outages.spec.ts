import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { readTimedStream } from '../support/timed-stream.ts';

/** The real model: its answers last longer than what happens to Redis meanwhile. */
const MODEL = 'smollm2-135m-instruct';
const modelFolder = fileURLToPath(new URL(`../../models/${MODEL}`, import.meta.url));
/** 30 s are promised; less is enough to see every part of it. */
const OUTAGE_MS = Number(process.env.MILLRACE_TEST_OUTAGE_MS ?? 2_500);
/** Of an answer that lasts longer. */
const ANSWER_TOKENS = Math.ceil(OUTAGE_MS / 20);
const LIMIT_MS = 120_000 + 10 * OUTAGE_MS;
/** The noise of a machine that does other work besides, on top of the 2 s that are promised. */
const RESUME_MS = 2_000 + 1_500;

let cluster: Cluster;
let whole: readonly string[];

beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder,
    workers: 2,
    redis: { append: true, fsync: 'everysec' },
    faultProxies: true,
    worker: { MILLRACE_SLOTS: '4', MILLRACE_SLOT_TOKENS: String(512 + ANSWER_TOKENS), MILLRACE_THREADS: '1' },
  });
  whole = await longAnswer();
}, LIMIT_MS);
afterAll(() => cluster?.[Symbol.asyncDispose]());

const body = (more: object = {}) => ({
  model: MODEL,
  messages: [{ role: 'user', content: 'Tell me about rivers and mills.' }],
  stream: true,
  max_tokens: ANSWER_TOKENS,
  temperature: 1,
  seed: 11,
  ignore_eos: true,
  ...more,
});

const longAnswer = async (onEvent?: (count: number) => void) => {
  const response = await cluster.post(body());
  expect(response.status).toBe(200);
  return (await readTimedStream(response, onEvent)).events;
};
const short = () => cluster.post(body({ stream: false, max_tokens: 2 }));
const granted = async () => {
  const stats = await Promise.all(cluster.workers.map((worker) => worker.stats()));
  return stats.reduce((sum, { jobs }) => sum + jobs.granted, 0);
};

/** @returns what the first answer of status 200 took, in ms */
async function untilServed(): Promise<number> {
  const beganMs = performance.now();
  for (;;) {
    const response = await short();
    await response.arrayBuffer();
    if (response.status === 200) return performance.now() - beganMs;
    expect(response.status).toBe(503);
    await sleep(50);
  }
}

/** Three long streams, in the middle of which Redis is lost for a while, the way `begin` and `end` say. */
async function outage(begin: () => unknown, end: () => unknown): Promise<{ refusalsMs: number[]; resumedMs: number }> {
  const before = await granted();
  const begun = Promise.withResolvers<void>();
  const streams = Promise.all(Array.from({ length: 3 }, () => longAnswer((count) => count === 5 && begun.resolve())));
  await begun.promise;
  await begin();
  const endAtMs = performance.now() + OUTAGE_MS;
  const refusalsMs: number[] = [];
  while (performance.now() < endAtMs) {
    const beganMs = performance.now();
    const response = await short();
    refusalsMs.push(performance.now() - beganMs);
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ error: { code: 'unavailable' } });
    await sleep(100);
  }
  await end();
  const resumedMs = await untilServed();
  for (const events of await streams) expect(events).toEqual(whole);
  const shown = `refused in ${Math.round(median(refusalsMs))} ms (median of ${refusalsMs.length})`;
  process.stdout.write(`${OUTAGE_MS} ms without Redis: ${shown}, served again after ${Math.round(resumedMs)} ms\n`);
  // Each stream was run once, and of what was refused nothing.
  expect((await granted()) - before).toBe(3 + 1);
  return { refusalsMs, resumedMs };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

describe('while Redis is away', () => {
  it(
    'killed and started again: streams go on, new requests are refused at once, and service comes back',
    async () => {
      const { refusalsMs, resumedMs } = await outage(
        () => cluster.redis.kill(),
        () => cluster.redis.restart(),
      );
      expect(median(refusalsMs)).toBeLessThan(100);
      expect(resumedMs).toBeLessThan(RESUME_MS);
    },
    LIMIT_MS,
  );

  it(
    'frozen: the same, once its silence was noticed',
    async () => {
      const { refusalsMs, resumedMs } = await outage(
        () => cluster.redis.freeze(),
        () => cluster.redis.thaw(),
      );
      // The first one waits until it is clear that no answer comes.
      expect(refusalsMs[0]).toBeLessThan(2_000 + 500);
      expect(median(refusalsMs.slice(1))).toBeLessThan(100);
      expect(resumedMs).toBeLessThan(RESUME_MS);
    },
    LIMIT_MS,
  );
});

describe('a network that has forgotten the connections to Redis', () => {
  it('is noticed by everybody, who connect anew', async () => {
    const proxy = cluster.redisProxy!;
    const before = await granted();
    for (let link = proxy.links - 1; link >= 0; link--) proxy.holdOne(() => link);
    // Nobody is told: the first requests fail, and the workers' blocking calls just never return.
    expect((await short()).status).toBe(503);
    await expect.poll(async () => (await short()).status, { timeout: 20_000, interval: 250 }).toBe(200);
    expect((await granted()) - before).toBeGreaterThan(0);
    for (const worker of cluster.workers) {
      await expect
        .poll(async () => (await fetch(`${worker.managementUrl}/readyz`)).status, { timeout: 20_000 })
        .toBe(200);
    }
    proxy.heal();
    expect((await short()).status).toBe(200);
  }, 60_000);
});

describe.runIf(process.platform === 'linux')('a Redis whose disk is full', () => {
  it('makes new requests 503 with Retry-After, and leaves streams alone', async () => {
    const redis = new Redis(cluster.redisUrl);
    try {
      const begun = Promise.withResolvers<void>();
      const stream = longAnswer((count) => count === 5 && begun.resolve());
      await begun.promise;
      cluster.redis.fillDisk();
      await expect.poll(() => redis.set('probe', '1').catch((error: Error) => error.message)).toMatch(/^MISCONF/);
      const refused = await short();
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await refused.json()).toMatchObject({ error: { code: 'unavailable' } });
      cluster.redis.freeDisk();
      expect(await untilServed()).toBeLessThan(RESUME_MS);
      expect(await stream).toEqual(whole);
    } finally {
      redis.disconnect();
    }
  }, 60_000);
});
