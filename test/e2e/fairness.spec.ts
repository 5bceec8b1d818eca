import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyStore, TenantStore } from '#admission';
import { connectRedis } from '#queue';
import { Cluster } from '../support/cluster.ts';
import { readTimedStream, type TimedStream } from '../support/timed-stream.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const SLOTS = 3;

let cluster: Cluster;
const keys = { flood: '', light: '' };
/** Each flooding request's answer without any disturbance. */
const whole = new Map<number, readonly string[]>();

beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder,
    worker: {
      MILLRACE_SLOTS: String(SLOTS),
      MILLRACE_PARKING_SLOTS: '2',
      MILLRACE_SLOT_TOKENS: '512',
      MILLRACE_THREADS: '1',
      MILLRACE_GRACE_MS: '1',
    },
  });
  const redis = connectRedis(cluster.redisUrl, 'producer');
  for (const id of ['flood', 'light'] as const) {
    await new TenantStore(redis).put({ id });
    keys[id] = (await new KeyStore(redis).create({ tenantId: id })).key;
  }
  redis.disconnect();
  for (let kind = 0; kind < KINDS.length; kind += 1) whole.set(kind, (await flood(kind)).events);
}, 60_000);
afterAll(() => cluster?.[Symbol.asyncDispose](), 60_000);

const KINDS: readonly object[] = [
  { temperature: 0 },
  { temperature: 0.9, top_p: 0.95, seed: 7, frequency_penalty: 0.3, stop: ['zzzz'] },
  { temperature: 1, seed: 3, n: 2 },
  { temperature: 1, seed: 4, logprobs: true, top_logprobs: 3 },
];

const send = (tenant: 'flood' | 'light', more: object) =>
  cluster.post(
    {
      model: MODEL,
      messages: [{ role: 'user', content: 'Tell me about rivers and mills.' }],
      stream: true,
      stream_options: { include_usage: true },
      ignore_eos: true,
      ...more,
    },
    { headers: { authorization: `Bearer ${keys[tenant]}` } },
  );

async function flood(kind: number): Promise<TimedStream> {
  const response = await send('flood', { max_tokens: 420, ...KINDS[kind] });
  expect(response.status).toBe(200);
  return readTimedStream(response);
}

/** Events by the choice they are of: which choice's event of a step comes first is not promised. */
const byChoice = (events: readonly string[]) =>
  Object.groupBy(events, (event) => /"index":(\d+)/.exec(event)?.[1] ?? 'all');

async function untilFull(): Promise<void> {
  for (let look = 0; look < 400; look += 1) {
    const [worker] = cluster.workers;
    if (worker !== undefined && (await worker.stats()).engine.running === SLOTS) return;
    await sleep(10);
  }
  throw new Error('the flood does not hold every slot');
}

const startFlood = (requests: number) =>
  Array.from({ length: requests }, async (_, index) => {
    const kind = index % KINDS.length;
    const { events } = await flood(kind);
    expect(byChoice(events)).toEqual(byChoice(whole.get(kind) ?? []));
  });

describe('a light tenant beside one that floods every slot with long generations', () => {
  it('is answered at once, and costs the flood not a byte', async () => {
    const ended = { flood: 0 };
    const streams = startFlood(16).map(async (stream) => {
      await stream;
      ended.flood += 1;
    });
    await untilFull();
    const before = await cluster.workers[0]!.stats();
    let waitedForAnEnd = 0;
    const LIGHT_REQUESTS = 12;
    for (let index = 0; index < LIGHT_REQUESTS; index += 1) {
      const endedBefore = ended.flood;
      let endedAtFirst = -1;
      const response = await send('light', { max_tokens: 4, temperature: 0 });
      const { events } = await readTimedStream(response, () => {
        if (endedAtFirst < 0) endedAtFirst = ended.flood;
      });
      expect(events.at(-1)).toBe('[DONE]');
      if (endedAtFirst > endedBefore) waitedForAnEnd += 1;
    }
    const after = await cluster.workers[0]!.stats();
    // By chance a flooding request ends just then; on a slow machine more often.
    expect(waitedForAnEnd).toBeLessThan(LIGHT_REQUESTS);
    expect(after.engine.parksTotal - before.engine.parksTotal).toBeGreaterThan(0);
    expect(after.consumer.expressTotal).toBeGreaterThan(0);
    // Spared the queue, unless another of its own still counts as waiting.
    expect(after.consumer.offeredTotal).toBeGreaterThan(before.consumer.offeredTotal);
    await Promise.all(streams);
    expect((await cluster.workers[0]!.stats()).engine).toMatchObject({ running: 0, waiting: 0, parked: 0 });
  }, 60_000);

  it('does not starve it either: with both asking for more all the time, each gets its share', async () => {
    const tokens = { flood: 0, light: 0 };
    // Once both have filled their seats.
    const countsFromMs = performance.now() + 1_500;
    const endsMs = countsFromMs + 4_500;
    const keepAsking = async (tenant: 'flood' | 'light') => {
      while (performance.now() < endsMs) {
        // So long that the engine is what there is too little of, also on a machine that has little time for the API.
        await readTimedStream(await send(tenant, { max_tokens: 400, temperature: 0 }), () => {
          const nowMs = performance.now();
          if (nowMs > countsFromMs && nowMs < endsMs) tokens[tenant] += 1;
        });
      }
    };
    await Promise.all([
      ...Array.from({ length: 12 }, () => keepAsking('flood')),
      ...Array.from({ length: 5 }, () => keepAsking('light')),
    ]);
    expect(tokens.flood).toBeGreaterThan(100);
    expect(tokens.light / tokens.flood).toBeGreaterThan(0.5);
    expect(tokens.light / tokens.flood).toBeLessThan(2);
  }, 60_000);

  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'costs nobody anything when the worker gets %s with sequences parked',
    async (signal) => {
      const streams = startFlood(16);
      await untilFull();
      const worker = cluster.workers[0]!;
      // One that comes when somebody's answer ends finds the seat free; the next one does not.
      const lights: TimedStream[] = [];
      const askUntilParked = async () => {
        while (worker.running && lights.length < 20) {
          lights.push(await readTimedStream(await send('light', { max_tokens: 300, temperature: 0 })));
        }
      };
      const light = askUntilParked();
      // Not looked at again: what is parked goes on when the light one's answer ends.
      let parked = 0;
      for (let look = 0; look < 2_000 && parked === 0; look += 1) {
        await sleep(2);
        parked = (await worker.stats()).engine.parked;
      }
      expect(parked).toBeGreaterThan(0);
      cluster.takeOut(worker);
      worker.child.kill(signal);
      await cluster.addWorker();
      await Promise.all(streams);
      await light;
      for (const { events } of lights) expect(events.at(-1)).toBe('[DONE]');
    },
    60_000,
  );
});
