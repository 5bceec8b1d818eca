import { fileURLToPath } from 'node:url';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withoutCachedTokens } from '../support/cached-tokens.ts';
import { Cluster } from '../support/cluster.ts';
import { DIALECT_CASES, expectValid, joined, STREAMING_CASES, streamOf } from '../support/dialect-cases.ts';
import { TEST_KEY } from '../support/product-process.ts';
import { readTimedStream } from '../support/timed-stream.ts';

const comparable = (usage: unknown): unknown => JSON.parse(withoutCachedTokens(JSON.stringify(usage)));

const MODEL = 'tiny-llama';
const messages = [{ role: 'user' as const, content: 'Say something — anything, really.' }];

// The fixture's context is short, and its tokens are few characters long.
const parameters = { properties: { n: { type: 'integer' } } };
const time = { type: 'function', function: { name: 'time' } };
const tools = [{ type: 'function', function: { name: 'note', parameters } }];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder: fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url)),
    worker: { MILLRACE_SLOTS: '8', MILLRACE_SLOT_TOKENS: '512', MILLRACE_THREADS: '1' },
  });
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const ask = (path: string, body: object) =>
  fetch(`${cluster.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TEST_KEY}` },
    body: JSON.stringify({ model: MODEL, messages, ...body }),
  });

interface WholeChoice {
  readonly index: number;
  readonly message: { readonly content: string; readonly tool_calls?: readonly { readonly function: object }[] };
  readonly logprobs?: { readonly content: readonly { readonly bytes: number[] }[] } | null;
  readonly finish_reason: string;
  readonly stop_reason?: string | null;
}

interface TokenAnswer {
  readonly prompt_token_ids?: readonly number[];
  readonly choices: readonly (WholeChoice & { readonly token_ids: readonly number[] })[];
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number };
}

interface NamedToken {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

interface NamedLogprob extends NamedToken {
  readonly top_logprobs: readonly NamedToken[];
}

interface NamedChoice {
  readonly logprobs: { readonly content: readonly NamedLogprob[] };
  readonly token_ids: readonly number[];
}

// The fixture's weights are random, so its answers are bytes of all kinds: many tokens are parts of characters.
describe.each(STREAMING_CASES)('$path on a real worker', (dialect) => {
  it.each([
    ['one choice', { n: 1 }],
    ['three choices', { n: 3 }],
    ['three choices with log probabilities', { n: 3, logprobs: true, top_logprobs: 3 }],
    ['one greedy choice with log probabilities', { n: 1, temperature: 0, logprobs: true, top_logprobs: 0 }],
    ['three choices that stop strings end', { n: 3, stop: ['a', 'e', '\n'] }],
    ['three choices with tools', { n: 3, tools }],
    [
      'three choices that must call a tool, cut by the length',
      { n: 3, tools, tool_choice: 'required', logprobs: true },
    ],
    ['one call that ends by itself', { n: 1, tools: [time], tool_choice: 'required', parallel_tool_calls: false }],
  ])('streams %s to exactly the whole answer for the same seed', async (_, wishes) => {
    for (const seed of [1, 2, 3]) {
      const body = { temperature: 1, top_p: 1, max_tokens: 40, seed, ...wishes };
      const response = await ask(dialect.path, body);
      const whole = (await response.json()) as { choices: WholeChoice[]; usage: { completion_tokens: number } };
      expectValid(dialect, 'completion', whole);
      const options = { include_usage: true };
      const { chunks, done } = await streamOf(
        dialect,
        await ask(dialect.path, { ...body, stream: true, stream_options: options }),
      );
      expect(done).toBe(true);
      expect(whole.choices).toHaveLength(wishes.n);
      for (const choice of whole.choices) {
        const { calls, ...streamed } = joined(chunks, choice.index);
        const functions = (choice.message.tool_calls ?? []).map((call) => call.function);
        expect(calls.map((call) => call.function)).toEqual(functions);
        if (choice.finish_reason === 'tool_calls') {
          expect(calls.length).toBeGreaterThan(0);
          for (const call of calls) JSON.parse(call.function?.arguments ?? '');
        }
        expect(streamed).toMatchObject({
          content: choice.message.content ?? '',
          logprobs: choice.logprobs?.content ?? [],
          finishReason: choice.finish_reason,
          stopReason: choice.stop_reason,
        });
      }
      // The stream found the prompt in the cache where the whole answer had filled it.
      expect(comparable(chunks.at(-1)!.usage)).toEqual(comparable(whole.usage));
    }
  });

  it.each([
    ['text', { logprobs: true }],
    ['answers that stop strings end', { stop: ['a', 'e'] }],
    ['a call that ends by itself', { tools: [time], tool_choice: 'required', parallel_tool_calls: false }],
    ['text beside tools', { tools }],
  ])('tells the ids of all tokens where they are asked for: %s', async (_, wishes) => {
    const body = { temperature: 1, max_tokens: 30, seed: 3, n: 2, return_token_ids: true, ...wishes };
    const whole = (await (await ask(dialect.path, body)).json()) as TokenAnswer;
    const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = whole.usage;
    expect(whole.prompt_token_ids).toHaveLength(promptTokens);
    expect(whole.choices.flatMap((choice) => choice.token_ids)).toHaveLength(completionTokens);
    for (const { token_ids: ids, logprobs } of whole.choices) {
      if (logprobs) expect(logprobs.content).toHaveLength(ids.length);
    }
    const { events } = await readTimedStream(await ask(dialect.path, { ...body, stream: true }));
    expect(events.at(-1)).toBe('[DONE]');
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event) as TokenAnswer);
    const streamed = chunks.flatMap(({ choices, prompt_token_ids: prompt }) =>
      choices.map((choice) => ({ ...choice, prompt })),
    );
    for (const { index, token_ids: ids } of whole.choices) {
      const ofChoice = streamed.filter((choice) => choice.index === index);
      expect(ofChoice.flatMap((choice) => choice.token_ids ?? [])).toEqual(ids);
      expect(ofChoice.map(({ prompt }) => prompt)).toEqual([
        whole.prompt_token_ids,
        ...ofChoice.slice(1).map(() => undefined),
      ]);
    }
    // Not in the documents, so only where they are asked for.
    const without = await (await ask(dialect.path, { ...body, return_token_ids: false })).json();
    expectValid(dialect, 'completion', without);
  });

  it('names the tokens of log probabilities by their ids where that is asked for', async () => {
    const body = { temperature: 1, max_tokens: 12, seed: 8, logprobs: true, top_logprobs: 2, return_token_ids: true };
    const asIds = { ...body, return_tokens_as_token_ids: true };
    const choiceOf = async (wishes: object) =>
      ((await (await ask(dialect.path, wishes)).json()) as { choices: [NamedChoice] }).choices[0];
    const [plain, named] = [await choiceOf(body), await choiceOf(asIds)];
    expect(named.logprobs.content.map(({ token }) => token)).toEqual(named.token_ids.map((id) => `token_id:${id}`));
    for (const entry of named.logprobs.content) {
      expect(entry.top_logprobs).toHaveLength(2);
      for (const top of entry.top_logprobs) {
        expect(top.token).toMatch(/^token_id:\d+$/);
        if (top.token === entry.token) expect(top.bytes).toEqual(entry.bytes);
      }
    }
    // Nothing else is told differently.
    const unnamed = ({ token: _, top_logprobs: top, ...rest }: NamedLogprob) => [
      rest,
      top.map(({ bytes, logprob }) => [bytes, logprob]),
    ];
    expect(named.logprobs.content.map(unnamed)).toEqual(plain.logprobs.content.map(unnamed));
    expect(named.token_ids).toEqual(plain.token_ids);
    const { events } = await readTimedStream(await ask(dialect.path, { ...asIds, stream: true }));
    const streamed = events
      .slice(0, -1)
      .flatMap((event) => (JSON.parse(event) as { choices: NamedChoice[] }).choices)
      .flatMap(({ logprobs }) => logprobs?.content ?? []);
    expect(streamed).toEqual(named.logprobs.content);
  });

  it('has log probabilities whose bytes are the answer', async () => {
    const response = await ask(dialect.path, { temperature: 1, max_tokens: 60, seed: 5, logprobs: true });
    const { choices } = (await response.json()) as { choices: WholeChoice[] };
    const [choice] = choices as [WholeChoice];
    const bytes = choice.logprobs!.content.flatMap((entry) => entry.bytes);
    const shown = Buffer.from(bytes).toString('utf8');
    if (choice.finish_reason === 'length') expect(shown).toBe(choice.message.content);
    else expect(shown.startsWith(choice.message.content)).toBe(true);
  });

  it('serves OpenAI’s client', async () => {
    const client = new OpenAI({ baseURL: `${cluster.url}${dialect.prefix}`, apiKey: TEST_KEY, maxRetries: 0 });
    const body = { model: MODEL, messages, seed: 4, max_tokens: 20, temperature: 1, top_p: 1 };
    const whole = await client.chat.completions.create(body);
    const streamed = await client.chat.completions.stream(body).finalChatCompletion();
    expect(streamed.choices[0]!.message.content).toBe(whole.choices[0]!.message.content);
    expect(streamed.choices[0]!.finish_reason).toBe(whole.choices[0]!.finish_reason);
  });

  it('serves the AI SDK', async () => {
    const baseURL = `${cluster.url}${dialect.prefix}`;
    const provider = createOpenAICompatible({ name: 'millrace', baseURL, apiKey: TEST_KEY, includeUsage: true });
    const call = {
      model: provider(MODEL),
      messages,
      seed: 4,
      maxOutputTokens: 20,
      temperature: 1,
      topP: 1,
      maxRetries: 0,
    };
    const whole = await generateText(call);
    const stream = streamText(call);
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    expect(text).toBe(whole.text);
    expect((await stream.usage).outputTokens).toBe(whole.usage.outputTokens);
  });
});

describe('the same seed and parameters', () => {
  it('give the same text in every dialect', async () => {
    const body = { seed: 11, temperature: 0.9, top_p: 0.95, max_tokens: 30 };
    const texts = await Promise.all(
      DIALECT_CASES.map(async (dialect) => {
        const answer = (await (await ask(dialect.path, body)).json()) as {
          result: { answer: string };
          choices: WholeChoice[];
        };
        expectValid(dialect, 'completion', answer);
        return dialect.prefix === null ? answer.result.answer : answer.choices[0]!.message.content;
      }),
    );
    expect(texts[0]).not.toBe('');
    expect(new Set(texts).size).toBe(1);
  });

  it('stop where the stop string is, which is shown only where that is asked for', async () => {
    const dialect = DIALECT_CASES[2]!;
    const body = { seed: 3, temperature: 0, max_tokens: 40 };
    const whole = (await (await ask(dialect.path, body)).json()) as { choices: WholeChoice[] };
    const text = whole.choices[0]!.message.content;
    const stop = [...text].slice(5, 7).join('');
    const stopped = (await (await ask(dialect.path, { ...body, stop })).json()) as { choices: WholeChoice[] };
    expect(stopped.choices[0]).toMatchObject({ finish_reason: 'stop', stop_reason: stop });
    const end = text.indexOf(stop);
    expect(stopped.choices[0]!.message.content).toBe(text.slice(0, end));
    const wish = { ...body, stop, include_stop_str_in_output: true };
    const shown = (await (await ask(dialect.path, wish)).json()) as { choices: WholeChoice[] };
    expect(shown.choices[0]).toMatchObject({ finish_reason: 'stop', stop_reason: stop });
    expect(shown.choices[0]!.message.content).toBe(text.slice(0, end + stop.length));
  });
});
