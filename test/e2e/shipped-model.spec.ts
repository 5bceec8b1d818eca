import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { TEST_KEY } from '../support/product-process.ts';

const MODEL = 'smollm2-135m-instruct';
const SLOTS = 8;

let cluster: Cluster;
let client: OpenAI;
beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder: fileURLToPath(new URL(`../../models/${MODEL}`, import.meta.url)),
    worker: { MILLRACE_SLOTS: String(SLOTS), MILLRACE_SLOT_TOKENS: '2048' },
  });
  client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const question = {
  model: MODEL,
  messages: [{ role: 'user' as const, content: 'What is the capital of France?' }],
  temperature: 0,
  max_tokens: 32,
};

describe('the shipped model through the whole path', () => {
  it('answers sensibly', async () => {
    const response = await cluster.post(question);
    expect(response.status).toBe(200);
    const answer = (await response.json()) as OpenAI.ChatCompletion;
    expect(answer.choices[0]!.message.content).toContain('Paris');
    expect(answer.choices[0]!.finish_reason).toBe('stop');
    const usage = answer.usage!;
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens);
  });

  it('streams token by token and ends with [DONE]', async () => {
    const messages = [{ role: 'user', content: 'Write a long story about a fox who wants to learn how to sail.' }];
    const response = await cluster.post({ ...question, messages, max_tokens: 200, stream: true });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const arrivals: string[] = [];
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>)
      arrivals.push(Buffer.from(chunk).toString('latin1'));
    const all = arrivals.join('');
    expect(all.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(all.split('\n\n').filter((event) => /"content":"./.test(event)).length).toBeGreaterThan(150);
    // They do not arrive in one burst at the end, though a client that waits for a processor may find several at once.
    expect(arrivals.filter((arrival) => /"content":"./.test(arrival)).length).toBeGreaterThan(5);
  });

  it("serves the openai npm client, and the stream's pieces join to the whole answer", async () => {
    const whole = await client.chat.completions.create(question);
    const pieces: string[] = [];
    for await (const chunk of await client.chat.completions.create({ ...question, stream: true }))
      pieces.push(chunk.choices[0]?.delta.content ?? '');
    expect(pieces.filter(Boolean).length).toBeGreaterThanOrEqual(5);
    expect(pieces.join('')).toBe(whole.choices[0]?.message.content);
    const helper = client.chat.completions.stream(question);
    expect(await helper.finalContent()).toBe(whole.choices[0]?.message.content);
  });

  it('goes on with an answer that the client has begun, in the words of its own', async () => {
    const own = (await client.chat.completions.create(question)).choices[0]!.message.content!;
    for (const begun of ['The', 'The capital of', 'The capital of France is Paris']) {
      expect(own.startsWith(begun)).toBe(true);
      const messages = [...question.messages, { role: 'assistant' as const, content: begun }];
      const body = { ...question, messages, continue_final_message: true, add_generation_prompt: false };
      const whole = await client.chat.completions.create(body);
      expect(begun + whole.choices[0]!.message.content).toBe(own);
      const helper = client.chat.completions.stream({ ...body, stream: true });
      expect(begun + (await helper.finalContent())).toBe(own);
    }
  });

  it('leaves out the words that it is told to, and says nothing but the tokens that it may', async () => {
    const without = { ...question, bad_words: ['Paris'] };
    const { choices } = await client.chat.completions.create(without);
    expect(choices[0]!.message.content).not.toContain('Paris');
    // " Paris" and " capital"
    const only = { ...question, allowed_token_ids: [7042, 3575], max_tokens: 3 };
    const limited = (await client.chat.completions.create(only)).choices[0]!;
    expect(limited.message.content).toMatch(/^( ?(Paris|capital)){3}$/);
    expect(limited.finish_reason).toBe('length');
  });

  it('stops a prefill when its client leaves', async () => {
    const before = (await cluster.workers[0]!.stats()).engine;
    const abort = new AbortController();
    const long = { ...question, messages: [{ role: 'user', content: 'The river runs to the sea. '.repeat(240) }] };
    const pending = cluster.post(long, { signal: abort.signal }).catch(() => null);
    let during = before;
    while (during.prefillRunsTotal < before.prefillRunsTotal + 2) {
      await sleep(5);
      during = (await cluster.workers[0]!.stats()).engine;
    }
    abort.abort();
    await pending;
    for (let attempt = 0; attempt < 300 && during.freeSlots < SLOTS; attempt++) {
      await sleep(10);
      during = (await cluster.workers[0]!.stats()).engine;
    }
    expect(during.freeSlots).toBe(SLOTS);
    expect(during.running).toBe(0);
    const prefilled = during.prefilledTokensTotal - before.prefilledTokensTotal;
    expect(prefilled).toBeLessThan(1_500);
    expect(during.decodedTokensTotal).toBe(before.decodedTokensTotal);
  }, 60_000);
});
