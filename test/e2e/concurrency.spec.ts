import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ChatCompletion } from 'openai/resources/chat/completions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { type LengthenedModel, lengthenedModel } from '../support/lengthened-model.ts';
import { TEST_KEY, type WorkerStats } from '../support/product-process.ts';

const modelFolder = fileURLToPath(new URL('../fixtures/models/tiny-llama', import.meta.url));
const SLOTS = 32;
const MODEL = 'tiny-llama';

/** Its answers last long enough to be seen on any machine. */
const LONG_TOKENS = 3_500;
/** Of each of 32 streams: a quick engine is done with 300 before the API has let all of them in. */
const STREAM_TOKENS = 900;

let long: LengthenedModel;
let cluster: Cluster;
beforeAll(async () => {
  long = await lengthenedModel(modelFolder, 4_096);
  cluster = await Cluster.start({
    modelFolder: long.folder,
    worker: { MILLRACE_SLOTS: String(SLOTS), MILLRACE_SLOT_TOKENS: '4096', MILLRACE_PREFILL_CHUNK: '32' },
  });
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await long?.[Symbol.asyncDispose]();
});

const body = (index: number, more: object = {}) => ({
  model: MODEL,
  messages: [{ role: 'user', content: `Prompt number ${index}: ${'word '.repeat(index % 11)}` }],
  temperature: index % 2 === 0 ? 0 : 0.9,
  seed: index,
  max_tokens: 300,
  ignore_eos: true,
  ...more,
});

async function stateOf({ api }: Cluster, id: string): Promise<unknown> {
  const response = await fetch(`${api.url}/v1/requests/${id}`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
  return ((await response.json()) as { state?: unknown }).state;
}

/** Joins the content of one streamed answer. */
async function streamed(index: number): Promise<string> {
  const response = await cluster.post(body(index, { stream: true, max_tokens: STREAM_TOKENS }));
  expect(response.status).toBe(200);
  const events = (await response.text()).split('\n\n').filter((event) => event.startsWith('data: '));
  expect(events.pop()).toBe('data: [DONE]');
  return events.map((event) => JSON.parse(event.slice('data: '.length)).choices[0]?.delta.content ?? '').join('');
}

async function statsWhen(
  condition: (stats: WorkerStats['engine']) => boolean,
  what: string,
): Promise<WorkerStats['engine']> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const { engine } = await cluster.workers[0]!.stats();
    if (condition(engine)) return engine;
    await sleep(10);
  }
  throw new Error(`the worker never got to: ${what}`);
}

describe('32 concurrent streams on one worker', () => {
  it('all finish, each equal to its solo run, and the step count shows that they shared steps', async () => {
    const solo: string[] = [];
    for (let index = 0; index < SLOTS; index++) solo.push(await streamed(index));
    expect(new Set(solo).size).toBeGreaterThan(SLOTS / 2);

    const before = (await cluster.workers[0]!.stats()).engine;
    const together = await Promise.all(Array.from({ length: SLOTS }, (_, index) => streamed(index)));
    expect(together).toEqual(solo);

    const after = await statsWhen((engine) => engine.running === 0, 'no request running');
    const tokens = after.decodedTokensTotal - before.decodedTokensTotal;
    const runs = after.decodeRunsTotal - before.decodeRunsTotal;
    expect(tokens).toBeGreaterThanOrEqual(SLOTS * (STREAM_TOKENS - 1));
    // Long answers, so that they overlap however slowly they arrive. One run per token would be 28,768 of them.
    expect(runs).toBeLessThan(tokens / 4);
  }, 60_000);
});

describe('a client that goes away', () => {
  it('frees its slot while it decodes', async () => {
    const abort = new AbortController();
    const response = await cluster.post(body(1, { stream: true, max_tokens: LONG_TOKENS }), { signal: abort.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    await statsWhen((engine) => engine.running === 1, 'one request running');
    const before = (await cluster.workers[0]!.stats()).engine;
    abort.abort();
    const after = await statsWhen((engine) => engine.running === 0 && engine.freeSlots === SLOTS, 'all slots free');
    expect(after.decodedTokensTotal - before.decodedTokensTotal).toBeLessThan(LONG_TOKENS - 500);
  });

  it('frees its slot also when it did not stream', async () => {
    const abort = new AbortController();
    const pending = cluster.post(body(2, { max_tokens: LONG_TOKENS }), { signal: abort.signal }).catch(() => null);
    await statsWhen((engine) => engine.running === 1, 'one request running');
    abort.abort();
    await pending;
    await statsWhen((engine) => engine.running === 0 && engine.freeSlots === SLOTS, 'all slots free');
  });
});

describe('a client that leaves while its job is queued', () => {
  it('never has its job run', async () => {
    await using narrow = await Cluster.start({
      modelFolder,
      worker: { MILLRACE_SLOTS: '1', MILLRACE_SLOT_TOKENS: '512' },
    });
    // One slot and a line of long answers before it: the last job has to wait in the queue.
    const holders = Array.from({ length: 12 }, (_, index) => narrow.post(body(index, { max_tokens: 400 })));
    await sleep(50);
    const abort = new AbortController();
    const named = { 'x-request-id': 'leaves-the-queue' };
    const left = narrow.post(body(99, { max_tokens: 5 }), { signal: abort.signal, headers: named }).catch(() => null);
    await expect.poll(() => stateOf(narrow, 'leaves-the-queue')).toBe('queued');
    abort.abort();
    expect(await left).toBeNull();
    const answers = await Promise.all(holders.map(async (holder) => (await holder).json() as Promise<ChatCompletion>));
    const computed = ({ usage }: ChatCompletion) =>
      (usage?.prompt_tokens ?? 0) - (usage?.prompt_tokens_details?.cached_tokens ?? 0);
    const prompts = answers.reduce((sum, answer) => sum + computed(answer), 0);
    await sleep(300);
    const { engine } = await narrow.workers[0]!.stats();
    expect(engine.freeSlots).toBe(1);
    expect(engine.prefilledTokensTotal).toBe(prompts);
  }, 60_000);
});

describe('authentication', () => {
  it('serves the key it was started with and no other', async () => {
    const response = await cluster.post(body(0), { headers: { authorization: `Bearer ${TEST_KEY}x` } });
    expect(response.status).toBe(401);
  });
});
