import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeyStore, type TenantInput, TenantStore } from '#admission';
import type { ErrorCode, ModelCard } from '#contracts';
import { openModelFolder, PromptRenderer } from '#models';
import { connectRedis } from '#queue';
import {
  DIALECT_CASES,
  type DialectCase,
  expectValid,
  joined,
  STREAMING_CASES,
  streamOf,
} from '../support/dialect-cases.ts';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type ScriptedJob, ScriptedWorker } from '../support/scripted-worker.ts';

const CONTEXT_LENGTH = 300;
const PAGES = 'https://pages.example';
const messages = [{ role: 'user', content: 'Hello' }];
const [OPENAI_CHAT, API_CHAT, MODEL_API_CHAT, COMPLETION_MESSAGES] = DIALECT_CASES as [
  DialectCase,
  DialectCase,
  DialectCase,
  DialectCase,
];

let redis: RedisServer;
let api: ProductProcess;
let worker: ScriptedWorker;
let card: ModelCard;
let script: (job: ScriptedJob) => Promise<void>;

beforeAll(async () => {
  redis = await RedisServer.start();
  const folder = await openModelFolder('test/fixtures/models/tiny-llama');
  card = folder.card({ model: 'tiny-llama', contextLength: CONTEXT_LENGTH });
  worker = await ScriptedWorker.start({ redisUrl: redis.url, card, run: (job) => script(job) });
  api = await ProductProcess.start('api', {
    REDIS_URL: redis.url,
    MILLRACE_CORS_ORIGINS: `http://localhost:5173,${PAGES}`,
  });
}, 120_000);

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  script = async (job) => {
    for (const text of ['He', 'llo', ' you']) job.say(text);
    job.finish();
  };
});

async function post(
  dialect: DialectCase,
  body: unknown,
  headers: Record<string, string> = {},
  signal: AbortSignal | null = null,
): Promise<Response> {
  return fetch(`${api.url}${dialect.path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal,
  });
}

const ask = (
  dialect: DialectCase,
  more: object = {},
  headers: Record<string, string> = {},
  signal: AbortSignal | null = null,
) => post(dialect, { model: card.model, messages, ...more }, headers, signal);

/** The body of a complete answer, valid by the dialect's own schema. */
// biome-ignore lint/suspicious/noExplicitAny: what it is was just checked
async function answered(dialect: DialectCase, response: Response): Promise<any> {
  const body = await response.json();
  expect([response.status, body]).toEqual([200, body]);
  expectValid(dialect, 'completion', body);
  return body;
}

/** The message of a refusal, valid by the dialect's own schema. */
async function refused(dialect: DialectCase, response: Response, status: number): Promise<string> {
  const body = (await response.json()) as { message?: string; error?: { message: string } };
  expect([response.status, body]).toEqual([status, body]);
  expectValid(dialect, 'error', body);
  expect(response.headers.get('x-request-id')).toBeTruthy();
  return body.error?.message ?? body.message ?? '';
}

let tenants = 0;

/** The key of a tenant of its own. */
async function tenantKey(limits: Partial<TenantInput>): Promise<string> {
  tenants += 1;
  const id = `tenant-${tenants}`;
  const connection = connectRedis(redis.url, 'producer');
  await once(connection, 'ready');
  try {
    await new TenantStore(connection).put({ id, queueShare: 1, ...limits });
    return (await new KeyStore(connection).create({ tenantId: id })).key;
  } finally {
    connection.disconnect();
  }
}

const lastJob = () => worker.jobs.at(-1)!;

describe.each(DIALECT_CASES)('$path', (dialect) => {
  it('answers the smallest request', async () => {
    const body = await answered(dialect, await ask(dialect));
    const text = dialect.prefix === null ? body.result.answer : body.choices[0].message.content;
    expect(text).toBe('Hello you');
    const { usage, id } = dialect.prefix === null ? body.result : body;
    const promptTokens = lastJob().promptTokenIds.length;
    expect(usage).toMatchObject({ prompt_tokens: promptTokens, completion_tokens: 3, total_tokens: promptTokens + 3 });
    expect(id).toBe(`${dialect.idPrefix}${lastJob().requestId}`);
  });

  it('is as its page in docs/api shows it', async () => {
    const page = readFileSync(`docs/api/${dialect.name}.md`, 'utf8');
    const sent = /-d '([^']+)'/.exec(page)![1]!;
    await answered(dialect, await post(dialect, sent.replace('smollm2-135m-instruct', card.model)));
    const [shown, ...errors] = [...page.matchAll(/```json\n(.+?)```/gs)].map((match) => JSON.parse(match[1]!));
    expectValid(dialect, 'completion', shown);
    for (const error of errors) expectValid(dialect, 'error', error);
  });

  it('tells that the length ended an answer', async () => {
    script = async (job) => {
      job.say('cut');
      job.finish({ reason: 'length' });
    };
    expect(JSON.stringify(await answered(dialect, await ask(dialect)))).toContain('"finish_reason":"length"');
  });

  it('hands sampling, stop strings and the limit on to the worker', async () => {
    const sampling = { temperature: 0.5, top_p: 0.25, presence_penalty: 1, frequency_penalty: -1, seed: 7 };
    await answered(dialect, await ask(dialect, { ...sampling, stop: 'END', max_tokens: 20, logit_bias: { 5: 2 } }));
    expect(lastJob().stop.tokenIds).toEqual(card.eosTokenIds);
    expect(lastJob()).toMatchObject({
      sampling: {
        temperature: 0.5,
        topP: 0.25,
        presencePenalty: 1,
        frequencyPenalty: -1,
        seed: 7,
        logitBias: [[5, 2]],
      },
      stop: { strings: ['END'], maxTokens: 20 },
    });
    const own = card.eosTokenIds[0] === 7 ? 8 : 7;
    await answered(dialect, await ask(dialect, { stop_token_ids: [own, ...card.eosTokenIds] }));
    expect(lastJob().stop.tokenIds).toEqual([...card.eosTokenIds, own]);
    expect(lastJob().stop.showsString).toBeUndefined();
    await answered(dialect, await ask(dialect, { stop: 'END', include_stop_str_in_output: true }));
    expect(lastJob().stop).toMatchObject({ strings: ['END'], showsString: true });
    await answered(dialect, await ask(dialect, { stop_token_ids: [own], ignore_eos: true }));
    expect(lastJob().stop.tokenIds).toEqual([own]);
  });

  it('refuses what is no request with 400', async () => {
    for (const body of [
      '',
      '{"model": ',
      'null',
      '[]',
      '"text"',
      '{"model": "a", "model": "b"}',
      '{"temperature": NaN}',
    ]) {
      expect(await refused(dialect, await post(dialect, body), 400), body).not.toBe('');
    }
    const whole = { model: card.model, messages };
    for (const [body, message] of [
      [{ messages }, /model is missing/],
      [{ model: card.model }, /messages is missing/],
      [{ ...whole, model: 5 }, /model is 5/],
      [{ ...whole, messages: 'Hello' }, /messages is "Hello"/],
      [{ ...whole, messages: [] }, /messages is \[\]. It must have at least 1/],
      [{ ...whole, messages: [{ role: 'robot', content: 'a' }] }, /messages\[0\]\.role is "robot". It must be one of/],
      [{ ...whole, messages: [{ role: 'user' }] }, /messages\[0\]\.content is missing/],
      [{ ...whole, messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, /read text only/],
      [{ ...whole, temperature: '1' }, /temperature is "1". It must be of the type number/],
      [{ ...whole, max_tokens: 1.5 }, /max_tokens is 1\.5/],
      [{ ...whole, colour: 'red' }, /Unknown parameter: colour/],
      ['{"model": "a", "messages": [{"role": "user", "content": "\\ud800"}]}', /surrogate/],
      ['{"model": "a", "seed": 1e400}', /1e400, which is too large/],
      [`{"model": ${'['.repeat(70)}${']'.repeat(70)}}`, /nested more than 64 levels deep/],
      [{ ...whole, messages: [{ role: 'user', content: 'a', name: 5 }] }, /messages\[0\]\.name is 5/],
    ] as const) {
      expect(await refused(dialect, await post(dialect, body), 400)).toMatch(message);
    }
  });

  it('refuses values out of range', async () => {
    for (const [change, message] of [
      [{ temperature: 2.5 }, /temperature is 2\.5. It must be at most/],
      [{ temperature: -1 }, /at least 0/],
      [{ top_p: 1.5 }, /top_p is 1\.5. It must be at most 1/],
      [{ max_tokens: 0 }, /max_tokens is 0. It must be at least 1/],
      [{ presence_penalty: 3 }, /at most 2/],
      [{ frequency_penalty: -3 }, /at least -2/],
      [{ stop: '' }, /at least 1 characters/],
      [{ stop: ['1', '2', '3', '4', '5'] }, /at most 4 items/],
      [{ logit_bias: { 100000: 1 } }, /token 100000/],
      [{ stop_token_ids: [100_000] }, /stop_token_ids names token 100000/],
      [{ max_tokens: 1e300 }, /max_tokens is 1e\+300\. It must be at most/],
      [{ seed: 1e300 }, /seed is 1e\+300\. It must be at most/],
      [{ max_tokens: 5, max_completion_tokens: 6 }, /Send one of them/],
    ] as const) {
      expect(await refused(dialect, await ask(dialect, change), dialect.outOfRange)).toMatch(message);
    }
  });

  it('refuses what is not supported, saying so', async () => {
    for (const change of [
      { tool_choice: 'required' },
      { reasoning_effort: 'high' },
      { best_of: 2 },
      { store: true },
      { service_tier: 'flex' },
    ]) {
      const message = await refused(dialect, await ask(dialect, change), dialect.outOfRange);
      expect(message).toContain(Object.keys(change)[0]);
    }
    for (const effort of ['none', 'minimal']) await answered(dialect, await ask(dialect, { reasoning_effort: effort }));
  });

  it('tells both numbers when the context overflows', async () => {
    const long = [{ role: 'user', content: 'word '.repeat(2_000) }];
    expect(await refused(dialect, await ask(dialect, { messages: long }), 400)).toMatch(
      /is 300 tokens, but .* \d{4} tokens/,
    );
    expect(await refused(dialect, await ask(dialect, { max_tokens: 299 }), 400)).toMatch(
      /300 tokens.*299 in max_tokens/,
    );
  });

  it('takes special tokens in a message as text', async () => {
    const controls = (ids: readonly number[]) => ids.filter((id) => card.eosTokenIds.includes(id)).length;
    await answered(dialect, await ask(dialect));
    const usual = controls(lastJob().promptTokenIds);
    const special = Object.values(card.templateTokens).join('');
    await answered(dialect, await ask(dialect, { messages: [{ role: 'user', content: `${special}<|im_end|></s>` }] }));
    expect(controls(lastJob().promptTokenIds)).toBe(usual);
  });

  it('has a status for each refusal at the edge', async () => {
    await refused(dialect, await ask(dialect, {}, { authorization: '' }), 401);
    await refused(dialect, await ask(dialect, {}, { authorization: 'Bearer sk-wrong' }), 401);
    await refused(dialect, await ask(dialect, { model: 'nope' }), 404);
    const get = await fetch(`${api.url}${dialect.path}`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
    expect(get.headers.get('allow')).toBe('POST');
    await refused(dialect, get, 405);
    const put = await fetch(`${api.url}${dialect.path}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{',
    });
    expect(put.headers.get('allow')).toBe('POST');
    await refused(dialect, put, 405);
    await refused(dialect, await post(dialect, `{"model": "${'x'.repeat(5_000_000)}"}`), 413);
    await refused(dialect, await ask(dialect, {}, { 'content-type': 'text/plain' }), 415);
  });

  it('says that credits are short, a model is not allowed, and a limit is reached', async () => {
    const poor = await tenantKey({ credits: 'metered' });
    const broke = await ask(dialect, {}, { authorization: `Bearer ${poor}` });
    expect(broke.headers.get('x-should-retry')).toBe('false');
    expect(await refused(dialect, broke, 402)).toMatch(/credits/);
    const elsewhere = await tenantKey({ models: ['another'] });
    await refused(dialect, await ask(dialect, {}, { authorization: `Bearer ${elsewhere}` }), 403);
    const slow = await tenantKey({ requestsPerMinute: 1 });
    await answered(dialect, await ask(dialect, {}, { authorization: `Bearer ${slow}` }));
    const limited = await ask(dialect, {}, { authorization: `Bearer ${slow}` });
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
    await refused(dialect, limited, 429);
  });

  it.each([
    ['queue_full', 429],
    ['internal_error', 500],
    ['overloaded', 503],
  ] as const)('says %s with %i where the worker fails so', async (code: ErrorCode, status) => {
    script = async (job) => job.fail(code, 'As the worker said.');
    const response = await ask(dialect);
    const retried = response.headers.get('retry-after') !== null;
    expect(await refused(dialect, response, status)).toBe('As the worker said.');
    expect(retried).toBe(status !== 500);
  });

  it('lets pages of allowed origins ask before they have a key, and read answers and refusals', async () => {
    const preflight = {
      method: 'OPTIONS',
      headers: {
        origin: PAGES,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,x-stainless-lang',
      },
    };
    const permitted = await fetch(`${api.url}${dialect.path}`, preflight);
    expect([permitted.status, await permitted.text()]).toEqual([204, '']);
    expect(Object.fromEntries(permitted.headers)).toMatchObject({
      'access-control-allow-origin': PAGES,
      'access-control-allow-methods': expect.stringContaining('POST'),
      'access-control-allow-headers': 'authorization,content-type,x-stainless-lang',
      vary: 'origin',
    });
    const answers = [
      await ask(dialect, {}, { origin: PAGES }),
      await ask(dialect, {}, { origin: PAGES, authorization: '' }),
      await ask(dialect, { model: 'nope' }, { origin: PAGES }),
      ...(dialect.prefix === null ? [] : [await ask(dialect, { stream: true }, { origin: PAGES })]),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 404, 200].slice(0, answers.length));
    for (const { headers } of answers) {
      expect([headers.get('access-control-allow-origin'), headers.get('vary')]).toEqual([PAGES, 'origin']);
      expect(headers.get('access-control-expose-headers')).toMatch(/\bx-request-id\b.*\bretry-after-ms\b/);
      expect(headers.has('access-control-allow-credentials')).toBe(false);
    }
  });

  it('tells pages of other origins nothing', async () => {
    const origin = 'https://pages.example.evil.example';
    const asked = { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } };
    for (const response of [await fetch(`${api.url}${dialect.path}`, asked), await ask(dialect, {}, { origin })]) {
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
      expect(response.headers.get('vary')).toBe('origin');
    }
  });

  it('says that no worker serves the model with 503', async () => {
    const own = { ...card, model: `tiny-${dialect.name}` };
    const second = await ScriptedWorker.start({ redisUrl: redis.url, card: own, run: (job) => script(job) });
    await answered(dialect, await ask(dialect, { model: own.model }));
    await second[Symbol.asyncDispose]();
    // What is admitted before the replica hears of it waits for another worker.
    await vi.waitFor(async () => {
      expect((await ask(dialect, { model: own.model }, {}, AbortSignal.timeout(1_000))).status).toBe(503);
    });
    await refused(dialect, await ask(dialect, { model: own.model }), 503);
  });
});

describe.each(STREAMING_CASES)('$path as a stream', (dialect) => {
  it('joins to the whole answer, three choices at once, and each ends once', async () => {
    script = async (job) => {
      for (const choice of [2, 0, 1]) for (const piece of ['choice ', `${choice}`]) job.say(piece, { choice });
      for (const choice of [0, 1, 2]) job.finish({ choice, reason: choice === 1 ? 'length' : 'stop' });
    };
    const whole = await answered(dialect, await ask(dialect, { n: 3 }));
    const { chunks, done } = await streamOf(dialect, await ask(dialect, { n: 3, stream: true }));
    expect(done).toBe(true);
    for (const choice of whole.choices) {
      const parts = joined(chunks, choice.index);
      expect(parts.content).toBe(choice.message.content);
      expect(parts.finishReason).toBe(choice.finish_reason);
    }
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
    expect(new Set(chunks.map((chunk) => chunk.created)).size).toBe(1);
  });

  it('ends with the usage when asked for, and tells it in every chunk when asked for', async () => {
    const without = await streamOf(dialect, await ask(dialect, { stream: true }));
    expect(without.chunks.every((chunk) => chunk.usage === undefined)).toBe(true);
    const options = { include_usage: true };
    const last = await streamOf(dialect, await ask(dialect, { stream: true, stream_options: options }));
    expect(last.chunks.map((chunk) => chunk.usage?.completion_tokens ?? null)).toEqual([
      null,
      null,
      null,
      null,
      null,
      3,
    ]);
    expect(last.chunks.at(-1)!.choices).toEqual([]);
    const each = await streamOf(
      dialect,
      await ask(dialect, { stream: true, stream_options: { ...options, continuous_usage_stats: true } }),
    );
    expect(each.chunks.map((chunk) => chunk.usage?.completion_tokens)).toEqual([1, 1, 2, 3, 3, 3]);
  });

  it('has log probabilities where they are asked for', async () => {
    const token = { tokenId: 5, logprob: -0.5, tokenBytes: Buffer.from([0xc3]) };
    script = async (job) => {
      job.say('', { logprobs: [{ ...token, top: [token] }] });
      job.say('é', { logprobs: [{ ...token, tokenBytes: Buffer.from([0xa9]), top: [] }] });
      job.finish();
    };
    const wishes = { logprobs: true, top_logprobs: 1 };
    const whole = await answered(dialect, await ask(dialect, wishes));
    const { chunks } = await streamOf(dialect, await ask(dialect, { ...wishes, stream: true }));
    expect(whole.choices[0].logprobs.content.map((entry: { bytes: number[] }) => entry.bytes)).toEqual([
      [0xc3],
      [0xa9],
    ]);
    expect(joined(chunks, 0).logprobs).toEqual(whole.choices[0].logprobs.content);
  });

  it('ends with an error event when it fails midway', async () => {
    script = async (job) => {
      if (job.job.epoch === 1) job.say('begin');
      job.fail('engine_failed', 'The engine stopped.');
    };
    const { chunks, error, done } = await streamOf(dialect, await ask(dialect, { stream: true }));
    expect(chunks).toHaveLength(2);
    expect(error).toMatchObject({ error: { code: 'attempts_exhausted' } });
    expect(done).toBe(false);
  });

  it('is read by OpenAI’s client', async () => {
    const client = new OpenAI({ baseURL: `${api.url}${dialect.prefix}`, apiKey: TEST_KEY, maxRetries: 0 });
    const body = { model: card.model, messages: [{ role: 'user' as const, content: 'Hello' }] };
    expect((await client.chat.completions.create(body)).choices[0]!.message.content).toBe('Hello you');
    expect((await client.models.list()).data.map(({ id }) => id)).toContain(card.model);
    expect((await client.models.retrieve(card.model)).created).toBeGreaterThan(1_600_000_000);
    const stream = client.chat.completions.stream({ ...body, stream_options: { include_usage: true } });
    const completion = await stream.finalChatCompletion();
    expect(completion.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'Hello you' } });
    expect(completion.usage?.completion_tokens).toBe(3);
    const failure = await client.chat.completions.create({ ...body, temperature: 9 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(
      dialect.outOfRange === 422 ? OpenAI.UnprocessableEntityError : OpenAI.BadRequestError,
    );
    expect(failure).toMatchObject({ param: 'temperature', code: 'invalid_request' });
  });

  it('is read by the AI SDK', async () => {
    const baseURL = `${api.url}${dialect.prefix}`;
    const provider = createOpenAICompatible({ name: 'millrace', baseURL, apiKey: TEST_KEY, includeUsage: true });
    const call = { model: provider(card.model), prompt: 'Hello', maxRetries: 0 };
    const whole = await generateText(call);
    expect([whole.text, whole.finishReason, whole.usage.outputTokens]).toEqual(['Hello you', 'stop', 3]);
    const stream = streamText(call);
    const pieces: string[] = [];
    for await (const piece of stream.textStream) pieces.push(piece);
    expect(pieces).toEqual(['He', 'llo', ' you']);
    expect([await stream.finishReason, (await stream.usage).outputTokens]).toEqual(['stop', 3]);
  });
});

describe('what is one dialect’s own', () => {
  it(`${API_CHAT.path} takes max_completion_tokens`, async () => {
    await answered(API_CHAT, await ask(API_CHAT, { max_completion_tokens: 9, max_tokens: null }));
    expect(lastJob().stop.maxTokens).toBe(9);
  });

  it(`${API_CHAT.path} and ${OPENAI_CHAT.path} give the same fingerprint`, async () => {
    const one = await answered(API_CHAT, await ask(API_CHAT));
    const other = await answered(OPENAI_CHAT, await ask(OPENAI_CHAT));
    expect(one.system_fingerprint).toBe(other.system_fingerprint);
  });

  it('the template sees the name and the call that a tool message answers', async () => {
    // A template that shows no tools gets their results as user turns.
    const chatTemplate =
      '{% for tool in tools or [] %}{{ tool.function.name }}\n{% endfor %}{% for message in messages %}{{ message.role }} {{ message.name }} {{ message.tool_call_id }} {{ message.content }}\n{% endfor %}';
    const own = { ...card, model: 'tiny-tools', chatTemplate };
    await using second = await ScriptedWorker.start({ redisUrl: redis.url, card: own, run: (job) => script(job) });
    const renderer = PromptRenderer.fromCard(own);
    for (const dialect of DIALECT_CASES) {
      const conversation = [
        ...messages,
        { role: 'tool', name: 'clock', tool_call_id: `call_${dialect.name}`, content: 'noon' },
      ];
      await answered(dialect, await ask(dialect, { model: own.model, messages: conversation }));
      const { text, tokenIds } = renderer.render(conversation);
      expect(text).toContain(`tool clock call_${dialect.name} noon`);
      expect(second.jobs.at(-1)!.promptTokenIds).toEqual([...tokenIds]);
    }
  });

  it('requests that do not say how to sample get what the makers of the model recommend', async () => {
    const samplingDefaults = { temperature: 0.6, topP: 0.95, topK: 20, repetitionPenalty: 1.05 };
    const recommending = { ...card, model: 'recommending', samplingDefaults };
    await using second = await ScriptedWorker.start({
      redisUrl: redis.url,
      card: recommending,
      run: (job) => script(job),
    });
    const sampled = async (dialect: DialectCase, more: object = {}) => {
      await answered(dialect, await ask(dialect, { model: recommending.model, ...more }));
      return second.jobs.at(-1)?.sampling;
    };
    for (const dialect of [OPENAI_CHAT, API_CHAT, COMPLETION_MESSAGES]) {
      expect(await sampled(dialect)).toMatchObject({ ...samplingDefaults, minP: 0 });
    }
    // Its document has defaults of its own for two of them.
    expect(await sampled(MODEL_API_CHAT)).toMatchObject({ ...samplingDefaults, temperature: 0.7, topP: 0.7 });
    expect(await sampled(OPENAI_CHAT, { temperature: 0, top_p: 1, top_k: 0, repetition_penalty: null })).toMatchObject({
      ...{ temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1.05 },
    });
    const headers = { authorization: `Bearer ${TEST_KEY}` };
    const shown = async (model: string) =>
      (await (await fetch(`${api.url}/v1/models/${model}`, { headers })).json()) as object;
    expect(await shown(recommending.model)).toMatchObject({
      default_parameters: { temperature: 0.6, top_p: 0.95, top_k: 20, repetition_penalty: 1.05 },
    });
    expect(await shown(card.model)).toMatchObject({ default_parameters: {} });
  });

  it(`${MODEL_API_CHAT.path} has its own defaults, which give way to the context`, async () => {
    await answered(MODEL_API_CHAT, await ask(MODEL_API_CHAT));
    expect(lastJob()).toMatchObject({ sampling: { temperature: 0.7, topP: 0.7 }, stop: { maxTokens: 200 } });
    const content = 'word '.repeat(40);
    await answered(MODEL_API_CHAT, await ask(MODEL_API_CHAT, { messages: [{ role: 'user', content }] }));
    const { promptTokenIds, stop } = lastJob();
    expect(stop.maxTokens).toBe(CONTEXT_LENGTH - promptTokenIds.length);
    expect(stop.maxTokens).toBeLessThan(200);
  });

  it(`${MODEL_API_CHAT.path} has its own ranges`, async () => {
    for (const change of [{ temperature: 1.1 }, { max_tokens: 4_097 }, { max_completion_tokens: 4_097 }]) {
      expect(await refused(MODEL_API_CHAT, await ask(MODEL_API_CHAT, change), 400)).toMatch(
        /It must be at most (1|4096)\./,
      );
    }
  });

  it(`${MODEL_API_CHAT.path} tells the stop string`, async () => {
    script = async (job) => {
      job.say('one');
      job.finish({ stopString: '\n' });
    };
    const whole = await answered(MODEL_API_CHAT, await ask(MODEL_API_CHAT, { stop: '\n' }));
    expect(whole.choices[0]).toMatchObject({ finish_reason: 'stop', stop_reason: '\n', logprobs: null });
    expect(whole.choices[0].message.tool_calls).toEqual([]);
    const { chunks } = await streamOf(MODEL_API_CHAT, await ask(MODEL_API_CHAT, { stop: '\n', stream: true }));
    expect(joined(chunks, 0).stopReason).toBe('\n');
    expect(chunks.slice(0, -1).every((chunk) => chunk.choices[0]!.stop_reason === null)).toBe(true);
  });

  it(`${COMPLETION_MESSAGES.path} takes its document’s example with its comma`, async () => {
    const example = `{
         "model": "${card.model}",
         "messages": [
             {
                 "role": "user",
                 "content": "Who won the world series in 2020?"
             }
         ],
         "temperature": 1.0,
         "top_p": 1.0,
         "n": 1,
         "max_tokens": 100,
     }`;
    const { result } = await answered(COMPLETION_MESSAGES, await post(COMPLETION_MESSAGES, example));
    expect(result).toMatchObject({ model: card.model, answer: 'Hello you', usage: { finish_reason: 'stop' } });
    await refused(API_CHAT, await post(API_CHAT, example), 400);
  });

  it(`${COMPLETION_MESSAGES.path} refuses what one text can not show`, async () => {
    for (const change of [{ n: 2 }, { stream: true }, { logprobs: true }]) {
      const message = await refused(COMPLETION_MESSAGES, await ask(COMPLETION_MESSAGES, change), 400);
      expect(message).toMatch(/use \/v1\/chat\/completions|\/v1\/chat\/completions streams/);
    }
    await answered(COMPLETION_MESSAGES, await ask(COMPLETION_MESSAGES, { n: 1, stream: false, logprobs: null }));
  });

  it(`${COMPLETION_MESSAGES.path} tells causes of one status apart by code`, async () => {
    const codeOf = async (response: Response) => ((await response.json()) as { code: number }).code;
    expect(await codeOf(await ask(COMPLETION_MESSAGES, { temperature: 9 }))).toBe(40000);
    expect(await codeOf(await ask(COMPLETION_MESSAGES, { store: true }))).toBe(40001);
    expect(await codeOf(await ask(COMPLETION_MESSAGES, { max_tokens: 299 }))).toBe(40002);
  });

  it('user and metadata are in the log line of the request, and the messages are not', async () => {
    await answered(OPENAI_CHAT, await ask(OPENAI_CHAT, { user: 'end-user-17', metadata: { run: 'nightly' } }));
    await expect.poll(() => api.output).toMatch(/"endUser":"end-user-17","metadata":\{"run":"nightly"\}/);
  });

  it('the OpenAPI document has all routes with their own schemas and statuses', async () => {
    // biome-ignore lint/suspicious/noExplicitAny: a document that is walked by name
    const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as any;
    for (const { path } of DIALECT_CASES) {
      const { requestBody, responses } = document.paths[path].post;
      const name = requestBody.content['application/json'].schema.$ref.split('/').at(-1);
      expect(document.components.schemas[name].required).toEqual(['model', 'messages']);
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['200', '400', '401', '402', '429', '500', '503']));
      expect(/Invalid parameters/.test(responses[422].description)).toBe(path === API_CHAT.path);
      expect('text/event-stream' in responses[200].content).toBe(path !== COMPLETION_MESSAGES.path);
    }
    expect(document.components.schemas.ModelApiChatBody.properties.max_tokens.anyOf[0].maximum).toBe(4_096);
  });
});
