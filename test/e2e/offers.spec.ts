import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisKeys } from '#queue';
import { Cluster } from '../support/cluster.ts';
import { type LengthenedModel, lengthenedModel } from '../support/lengthened-model.ts';
import type { ProductProcess } from '../support/product-process.ts';
import { ScrapedMetrics } from '../support/scraped-metrics.ts';
import { readTimedStream } from '../support/timed-stream.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const SLOTS = 3;
/** Of an answer that is still running when it is looked for. */
const LONG = 1_500;

interface Message {
  readonly role: string;
  readonly content: string;
}

interface ChatAnswer {
  readonly text: string;
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

/** Some two hundred tokens, other ones for each number. */
const longText = (number: number) =>
  Array.from({ length: 7 }, (_, index) => `mill ${number * 7 + index} stands by the river`).join(', ');

const question = (number: number): Message[] => [{ role: 'user', content: longText(number) }];

function bodyOf(messages: readonly Message[], fields: object = {}) {
  return { model: MODEL, messages, max_tokens: 16, temperature: 0, ignore_eos: true, ...fields };
}

/** How often each worker has taken what it was offered, how offers were answered, and how many jobs workers had from the queue. */
async function ways(cluster: Cluster) {
  const stats = await Promise.all(cluster.workers.map((worker) => worker.stats()));
  const scraped = await ScrapedMetrics.of(cluster.api.managementUrl);
  const of = (answer: string) => scraped.sum('millrace:relay_offers_total', { answer });
  const offered = stats.map(({ consumer }) => consumer.offeredTotal);
  return {
    offered,
    accepted: of('accepted'),
    passedOn: of('declined') + of('unanswered'),
    // An offer that is taken is granted.
    fromQueue: sum(stats.map(({ jobs }) => jobs.granted)) - sum(offered),
  };
}

/** Requests that count as held by workers that were offered them. */
async function heldByOffer(cluster: Cluster): Promise<number> {
  const redis = new Redis(cluster.redisUrl);
  try {
    return await redis.zcard(redisKeys.offered(MODEL));
  } finally {
    redis.disconnect();
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

describe('a request that nobody waits before', () => {
  let long: LengthenedModel;
  let cluster: Cluster;
  beforeAll(async () => {
    long = await lengthenedModel(modelFolder, 2_048);
    cluster = await Cluster.start({
      modelFolder: long.folder,
      workers: 2,
      worker: { MILLRACE_SLOTS: String(SLOTS), MILLRACE_SLOT_TOKENS: '2048', MILLRACE_THREADS: '1' },
    });
    // Streams are opened within a heartbeat.
    for (let number = 900; Math.min(...(await ways(cluster)).offered) === 0; number += 1) await chat(question(number));
  }, 60_000);
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await long?.[Symbol.asyncDispose]();
  });

  async function chat(messages: readonly Message[], fields: object = {}): Promise<ChatAnswer> {
    const response = await cluster.post(bodyOf(messages, fields));
    expect(response.status).toBe(200);
    const { choices, usage } = (await response.json()) as {
      choices: [{ message: Message }];
      usage: { prompt_tokens: number; prompt_tokens_details: { cached_tokens: number } };
    };
    const { prompt_tokens: promptTokens, prompt_tokens_details: details } = usage;
    return { text: choices[0].message.content, promptTokens, cachedTokens: details.cached_tokens };
  }

  /** The worker that is offered a prompt like one that it has computed. */
  async function workerOf(messages: readonly Message[]): Promise<ProductProcess> {
    for (;;) {
      const before = await ways(cluster);
      await chat(messages);
      const after = await ways(cluster);
      // On a busy machine it may have had to be queued.
      if (after.accepted === before.accepted || after.passedOn > before.passedOn) continue;
      const taker = cluster.workers[after.offered.findIndex((count, index) => count > (before.offered[index] ?? 0))];
      if (taker !== undefined) return taker;
    }
  }

  it('goes straight to a worker, and only into the queue where that does not answer', async () => {
    const before = await ways(cluster);
    for (let number = 1; number <= 8; number += 1) await chat(question(number));
    const after = await ways(cluster);
    const accepted = after.accepted - before.accepted;
    expect(accepted).toBeGreaterThan(2);
    expect(after.passedOn - before.passedOn).toBe(8 - accepted);
    await expect.poll(() => heldByOffer(cluster)).toBe(0);
  });

  it('goes where its beginning was computed: each turn of a chat finds the turns before', async () => {
    const chats = Array.from({ length: 4 }, (_, number) => question(100 + number));
    for (let turn = 0; turn < 4; turn += 1) {
      for (const [number, messages] of chats.entries()) {
        const { text, promptTokens, cachedTokens } = await chat(messages);
        // All but the last answer and what is asked now was asked before.
        if (turn > 0) expect([turn, number, cachedTokens > promptTokens - 150]).toEqual([turn, number, true]);
        messages.push({ role: 'assistant', content: text }, { role: 'user', content: `And then, ${turn}?` });
      }
    }
  });

  it('is one of many: what workers have no room for is queued, and all are answered alike', async () => {
    const alone = await chat(question(200), { max_tokens: 48 });
    const before = await ways(cluster);
    const answers = await Promise.all(Array.from({ length: 16 }, () => chat(question(200), { max_tokens: 48 })));
    for (const { text } of answers) expect(text).toBe(alone.text);
    const after = await ways(cluster);
    expect(sum(after.offered)).toBeGreaterThan(sum(before.offered));
    expect(after.fromQueue).toBeGreaterThan(before.fromQueue);
    await expect.poll(() => heldByOffer(cluster)).toBe(0);
  });

  it('is counted among what workers hold while it runs, wherever somebody looks', async () => {
    const response = await cluster.post(bodyOf(question(300), { max_tokens: LONG, stream: true }));
    const held = async () => {
      const scraped = await ScrapedMetrics.of(cluster.api.managementUrl);
      return scraped.sum('millrace:queue_active_jobs');
    };
    await expect.poll(held).toBe(1);
    await response.body?.cancel();
    await expect.poll(held).toBe(0);
  });

  it('is queued too when its worker does not answer, and runs on whoever claims it, once', async () => {
    const messages = question(400);
    const frozen = await workerOf(messages);
    const whole = await readTimedStream(await cluster.post(bodyOf(messages, { max_tokens: 64, stream: true })));
    const before = await ways(cluster);
    frozen.freeze();
    try {
      const { events } = await readTimedStream(await cluster.post(bodyOf(messages, { max_tokens: 64, stream: true })));
      expect(events).toEqual(whole.events);
    } finally {
      frozen.thaw();
    }
    const after = await ways(cluster);
    expect([after.accepted, after.passedOn]).toEqual([before.accepted, before.passedOn + 1]);
    // What it finds when it wakes is nobody's any more.
    await expect
      .poll(async () =>
        (await Promise.all(cluster.workers.map((worker) => worker.stats()))).map(({ jobs }) => jobs.running),
      )
      .toEqual([0, 0]);
    await expect.poll(async () => (await chat(messages)).text.length).toBeGreaterThan(0);
  });

  it('goes on elsewhere, to the byte, when its worker dies', async () => {
    const messages = question(500);
    const doomed = await workerOf(messages);
    const ask = { max_tokens: LONG, stream: true };
    const whole = await readTimedStream(await cluster.post(bodyOf(messages, ask)));
    const interrupted = readTimedStream(await cluster.post(bodyOf(messages, ask)));
    await expect.poll(async () => (await doomed.stats()).engine.running).toBe(1);
    cluster.takeOut(doomed);
    await doomed.stop('SIGKILL');
    expect((await interrupted).events).toEqual(whole.events);
    await cluster.addWorker();
  }, 30_000);

  it('is offered to no worker that drains', async () => {
    const messages = question(600);
    const leaving = await workerOf(messages);
    const running = readTimedStream(await cluster.post(bodyOf(messages, { max_tokens: LONG, stream: true })));
    await expect.poll(async () => (await leaving.stats()).engine.running).toBe(1);
    const stopped = leaving.stop('SIGTERM');
    await sleep(200);
    for (let count = 0; count < 4; count += 1) await chat(messages);
    expect((await running).events.at(-1)).toBe('[DONE]');
    await stopped;
    cluster.takeOut(leaving);
    expect(leaving.output).not.toContain('worker_draining');
    await cluster.addWorker();
  }, 30_000);
});

describe('where nothing is offered', () => {
  it('every request goes through the queue', async () => {
    await using cluster = await Cluster.start({ modelFolder, api: { MILLRACE_OFFERS: 'false' } });
    for (let number = 0; number < 3; number += 1) {
      expect((await cluster.post(bodyOf(question(number)))).status).toBe(200);
    }
    expect(await ways(cluster)).toEqual({ offered: [0], accepted: 0, passedOn: 0, fromQueue: 3 });
  }, 60_000);
});
