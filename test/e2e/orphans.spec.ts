import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type LedgerEntry, ledgerPage, TenantAccount } from '#admission';
import { connectRedis, ModelQueue, redisKeys } from '#queue';
import { Cluster } from '../support/cluster.ts';
import { type LengthenedModel, lengthenedModel } from '../support/lengthened-model.ts';
import type { ProductProcess } from '../support/product-process.ts';
import { ReceivedEvents } from '../support/timed-stream.ts';

const MODEL = 'tiny-llama';
const TENANT = 'dev';
const SLOTS = 2;
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));

let long: LengthenedModel;
let cluster: Cluster;
let redis: Redis;
let queue: ModelQueue;

/** What is queued is what most of these tests are about. */
const API = { MILLRACE_LEASE_MS: '3000', MILLRACE_OFFERS: 'false' };

beforeAll(async () => {
  long = await lengthenedModel(modelFolder, 2_048);
  cluster = await Cluster.start({
    modelFolder: long.folder,
    apis: 2,
    workers: 2,
    api: API,
    worker: {
      MILLRACE_SLOTS: String(SLOTS),
      MILLRACE_PARKING_SLOTS: '0',
      MILLRACE_SLOT_TOKENS: '2048',
      MILLRACE_THREADS: '1',
      MILLRACE_JOB_LOCK_MS: '300',
    },
  });
  redis = connectRedis(cluster.redisUrl, 'producer');
  queue = new ModelQueue({ model: MODEL, redis });
}, 60_000);

beforeEach(async () => {
  while (cluster.apis.length < 2) await cluster.addApi();
}, 30_000);

afterAll(async () => {
  await queue?.close();
  redis?.disconnect();
  await cluster?.[Symbol.asyncDispose]();
  await long?.[Symbol.asyncDispose]();
}, 60_000);

interface Asked {
  readonly id: string;
  readonly received: ReceivedEvents;
  readonly done: Promise<void>;
}

/** Asks for a long stream at a replica, under an id of its own. */
async function ask(api: ProductProcess, more: object = {}): Promise<Asked> {
  const body = {
    model: MODEL,
    messages: [{ role: 'user', content: 'Tell me about rivers and mills.' }],
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: 450,
    temperature: 0,
    ignore_eos: true,
    ...more,
  };
  const received = new ReceivedEvents();
  const response = await cluster.post(body, {}, api);
  expect(response.status).toBe(200);
  const done = received.read(response).catch(() => {});
  await expect.poll(() => received.id, { timeout: 10_000 }).not.toBe('');
  return { id: received.id.replace(/^chatcmpl-/, ''), received, done };
}

async function settlementsOf(requestId: string): Promise<LedgerEntry[]> {
  const entries = await ledgerPage(redis, TENANT, null, 1_000);
  return entries.filter((entry) => entry.requestId === requestId);
}

async function expectNothingHeld(): Promise<void> {
  const account = new TenantAccount(redis, TENANT);
  await expect.poll(async () => (await account.sums()).held, { timeout: 15_000 }).toBe(0);
  expect(await redis.zcard(redisKeys.leases(TENANT))).toBe(0);
  const { granted, balance, spent } = await account.sums();
  expect(spent).toBe(granted - balance);
  for (const worker of cluster.workers) {
    await expect.poll(async () => (await worker.stats()).engine.freeSlots, { timeout: 10_000 }).toBe(SLOTS);
  }
  await expect.poll(() => queue.depth(), { timeout: 10_000 }).toEqual({ waiting: 0, active: 0 });
}

const sum = async (count: (worker: ProductProcess) => Promise<number>) =>
  (await Promise.all(cluster.workers.map(count))).reduce((total, each) => total + each, 0);
const denied = () => sum(async (worker) => (await worker.stats()).jobs.denied);

describe('requests whose API replica is killed, and that nobody wants to come back to', () => {
  it.each([
    { way: 'the queue', offers: 'false' },
    { way: 'an offer', offers: 'true' },
  ])(
    'are stopped by workers that have them by $way, and charged once for what these had made',
    async ({ offers }) => {
      const victim = await cluster.addApi({ MILLRACE_OFFERS: offers });
      const asked = await ask(victim);
      await expect.poll(() => asked.received.events.length).toBeGreaterThan(20);
      cluster.takeOut(victim);
      await victim.stop('SIGKILL');
      await asked.done;
      const seen = asked.received.events.length;
      await expectNothingHeld();
      const settlements = await settlementsOf(asked.id);
      expect(settlements.map(({ outcome }) => outcome)).toEqual(['expired']);
      const { completionTokens, promptTokens, credits } = settlements[0]!;
      // A first event and perhaps some more were no tokens.
      expect(completionTokens).toBeGreaterThanOrEqual(seen - 3);
      expect(completionTokens).toBeLessThanOrEqual(450);
      expect(promptTokens).toBeGreaterThan(0);
      expect(credits).toBeGreaterThan(0);
    },
    60_000,
  );

  it('are dropped by the worker that takes their job, and cost nothing', async () => {
    const [victim] = cluster.apis;
    const before = await denied();
    for (const worker of cluster.workers) worker.freeze();
    const body = { model: MODEL, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 400, ignore_eos: true };
    const cut = cluster.post(body, {}, victim!).catch(() => null);
    await expect.poll(async () => (await queue.depth()).waiting, { timeout: 5_000 }).toBe(1);
    cluster.takeOut(victim!);
    await victim!.stop('SIGKILL');
    await cut;
    for (const worker of cluster.workers) worker.thaw();
    await expect.poll(denied, { timeout: 10_000 }).toBe(before + 1);
    await expectNothingHeld();
    const expired = (await ledgerPage(redis, TENANT, null, 1_000)).filter(({ outcome }) => outcome === 'expired');
    expect(expired.at(-1)).toMatchObject({ completionTokens: 0, promptTokens: 0, credits: 0 });
  }, 60_000);
});

describe('a job that the queue delivers twice', () => {
  it('is run once: who had it hung for a moment, and another worker that gets it is refused', async () => {
    // It lasts long enough to be seen on any machine.
    const long = { max_tokens: 1_500 };
    const whole = await ask(cluster.api, long);
    await whole.done;
    await expectNothingHeld();
    const before = await denied();
    // Whether the queue notices within the time is its affair: what comes of it has to be right each time.
    for (let tries = 0; tries < 6 && (await denied()) === before; tries += 1) {
      // It is looked for from before the request on: an answer may take no longer than a look.
      const frozen = cluster.busyWorker().then((busy) => {
        busy.freeze();
        return busy;
      });
      const asking = ask(cluster.api, long);
      const worker = await frozen;
      const others = cluster.workers.filter((other) => other !== worker);
      const refused = async () => (await others[0]!.stats()).jobs.denied;
      const refusedBefore = await refused();
      // Longer than its lock lasts, shorter than the keepalive: the queue takes it for dead, its API replica does not.
      for (let waitedMs = 0; waitedMs < 1_400 && (await refused()) === refusedBefore; waitedMs += 50) await sleep(50);
      worker.thaw();
      const asked = await asking;
      await asked.done;
      expect(asked.received.events).toEqual(whole.received.events);
      await expectNothingHeld();
      expect((await settlementsOf(asked.id)).map(({ outcome }) => outcome)).toEqual(['completed']);
    }
    expect(await denied()).toBeGreaterThan(before);
  }, 60_000);
});
