import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText } from 'ai';
import type { Redis } from 'ioredis';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { KeyStore, type TenantInput, TenantStore } from '#admission';
import type { ModelCard } from '#contracts';
import { openModelFolder } from '#models';
import { connectRedis, redisKeys } from '#queue';
import { DIALECT_CASES, type DialectCase, expectValid } from '../support/dialect-cases.ts';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type ScriptedJob, ScriptedWorker } from '../support/scripted-worker.ts';

/** The table of refusals in docs/api, over HTTP, in every dialect, and what clients make of each. */
const SLOTS = 1;
const QUEUE_PLACES = 4;
const messages = [{ role: 'user' as const, content: 'Hello' }];

let server: RedisServer;
let redis: Redis;
let api: ProductProcess;
let worker: ScriptedWorker;
let card: ModelCard;
/** Ends of jobs that the worker holds. */
const held: (() => void)[] = [];
let holding = false;

beforeAll(async () => {
  server = await RedisServer.start({ append: true });
  redis = connectRedis(server.url, 'producer');
  const folder = await openModelFolder('test/fixtures/models/tiny-llama');
  card = folder.card({ model: 'tiny-llama', contextLength: 256 });
  worker = await ScriptedWorker.start({ redisUrl: server.url, card, slots: SLOTS, run: answer });
  api = await ProductProcess.start('api', { REDIS_URL: server.url, MILLRACE_QUEUE_PLACES: String(QUEUE_PLACES) });
}, 120_000);

afterEach(() => {
  holding = false;
  for (const end of held.splice(0)) end();
});
afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
  redis?.disconnect();
  await server?.[Symbol.asyncDispose]();
});

async function answer(job: ScriptedJob): Promise<void> {
  if (holding) await new Promise<void>((resolve) => held.push(resolve));
  job.say('Hi');
  job.finish();
}

let tenants = 0;
async function keyOf(limits: Partial<TenantInput> = {}): Promise<{ key: string; keyId: string }> {
  tenants += 1;
  const id = `tenant-${tenants}`;
  await new TenantStore(redis).put({ id, queueShare: 1, ...limits });
  const { key, record } = await new KeyStore(redis).create({ tenantId: id });
  return { key, keyId: record.keyId };
}

interface Question {
  readonly key: string;
  readonly model?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly at?: ProductProcess;
}

const ask = (
  { key, model = card.model, headers = {}, at = api }: Question,
  dialect = DIALECT_CASES[0]!,
  signal: AbortSignal | null = null,
) =>
  fetch(`${at.url}${dialect.path}`, {
    method: 'POST',
    signal,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model, messages, max_tokens: 10 }),
  });

/** Fills every slot, and so many places of the queue. */
async function busy(queued: number, key = TEST_KEY): Promise<void> {
  holding = true;
  const open = (count: number) => {
    for (let index = 0; index < count; index += 1) void ask({ key }).catch(() => {});
  };
  open(SLOTS);
  await vi.waitFor(() => expect(held).toHaveLength(SLOTS));
  // Redis hears of a taken request some milliseconds later.
  await vi.waitFor(async () => expect(await redis.zcard(redisKeys.waiting(card.model))).toBe(0));
  open(queued);
  // A request gets its place before its job is queued.
  await vi.waitFor(async () => {
    expect(await redis.zcard(redisKeys.waiting(card.model))).toBe(queued);
    expect(await redis.zcard(redisKeys.prioritizedJobs(card.model))).toBe(queued);
  });
}

/** Ends what is held and waits until nothing is queued. Appointments of refused clients are forgotten. */
async function quiet(): Promise<void> {
  holding = false;
  await vi.waitFor(
    async () => {
      for (const end of held.splice(0)) end();
      expect(await redis.zcard(redisKeys.prioritizedJobs(card.model))).toBe(0);
      expect(await redis.llen(redisKeys.activeJobs(card.model))).toBe(0);
    },
    { timeout: 10_000, interval: 20 },
  );
  const told = await redis.keys(`${redisKeys.appointments(card.model)}*`);
  if (told.length > 0) await redis.del(...told);
}

const setMeanServiceMs = (ms: number) => redis.hset(redisKeys.drain(card.model), 'meanServiceMs', ms);

interface Row {
  readonly cause: string;
  readonly status: number;
  readonly code: string;
  readonly retried: boolean;
  /** Brings about the cause. @returns what is refused then */
  readonly arrange: () => Promise<Question>;
}

const ROWS: readonly Row[] = [
  {
    cause: 'an unknown key',
    status: 401,
    code: 'invalid_api_key',
    retried: false,
    arrange: async () => ({ key: 'sk-unknown' }),
  },
  {
    cause: 'a revoked key',
    status: 401,
    code: 'invalid_api_key',
    retried: false,
    arrange: async () => {
      const { key, keyId } = await keyOf();
      expect((await ask({ key })).status).toBe(200);
      await new KeyStore(redis).revoke(keyId);
      await vi.waitFor(async () => expect((await ask({ key })).status).toBe(401));
      return { key };
    },
  },
  {
    cause: 'too few credits',
    status: 402,
    code: 'insufficient_credits',
    retried: false,
    arrange: () => keyOf({ credits: 'metered' }),
  },
  {
    cause: 'a model that is not for this tenant',
    status: 403,
    code: 'model_not_allowed',
    retried: false,
    arrange: () => keyOf({ models: ['another'] }),
  },
  {
    cause: 'an unknown model',
    status: 404,
    code: 'model_not_found',
    retried: false,
    arrange: async () => ({ ...(await keyOf()), model: 'nobody-has-this' }),
  },
  {
    cause: 'too many requests a minute',
    status: 429,
    code: 'rate_limit_exceeded',
    retried: true,
    arrange: async () => {
      const { key } = await keyOf({ requestsPerMinute: 1 });
      expect((await ask({ key })).status).toBe(200);
      return { key };
    },
  },
  {
    cause: 'too many tokens a minute',
    status: 429,
    code: 'rate_limit_exceeded',
    retried: true,
    arrange: async () => {
      const first = (await (await ask({ key: TEST_KEY })).json()) as { usage: { prompt_tokens: number } };
      const { key } = await keyOf({ tokensPerMinute: first.usage.prompt_tokens + 10 });
      expect((await ask({ key })).status).toBe(200);
      return { key };
    },
  },
  {
    cause: 'too many requests at once',
    status: 429,
    code: 'rate_limit_exceeded',
    retried: true,
    arrange: async () => {
      const { key } = await keyOf({ concurrency: 1 });
      await busy(0, key);
      return { key };
    },
  },
  {
    cause: 'a full queue',
    status: 429,
    code: 'queue_full',
    retried: true,
    arrange: async () => {
      await busy(QUEUE_PLACES);
      return keyOf();
    },
  },
  {
    cause: 'a full share of the queue',
    status: 429,
    code: 'queue_full',
    retried: true,
    arrange: async () => {
      const { key } = await keyOf({ queueShare: 0.5 });
      await busy(2, key);
      return { key };
    },
  },
  {
    cause: 'a deadline that can not be met',
    status: 429,
    code: 'queue_timeout',
    retried: true,
    arrange: async () => {
      await busy(1);
      await setMeanServiceMs(5_000);
      return { ...(await keyOf()), headers: { 'x-queue-timeout-ms': '100' } };
    },
  },
  {
    cause: 'a deadline that has passed in the queue',
    status: 429,
    code: 'queue_timeout',
    retried: true,
    arrange: async () => {
      await busy(0);
      await setMeanServiceMs(1);
      return { ...(await keyOf()), headers: { 'x-stainless-timeout': '0.2' } };
    },
  },
  {
    cause: 'a queue past its hard limit',
    status: 503,
    code: 'overloaded',
    retried: true,
    arrange: async () => {
      await busy(0);
      for (let index = 0; index < 2 * QUEUE_PLACES; index += 1) {
        await redis.zadd(redisKeys.prioritizedJobs(card.model), 2 ** 50 + index, `nobody-${index}`);
      }
      return keyOf();
    },
  },
  {
    cause: 'no worker',
    status: 503,
    code: 'no_workers',
    retried: true,
    arrange: async () => {
      const own = { ...card, model: 'left-alone' };
      const second = await ScriptedWorker.start({ redisUrl: server.url, card: own, run: answer });
      const question = { ...(await keyOf()), model: own.model };
      await vi.waitFor(async () => expect((await ask(question)).status).toBe(200), { timeout: 5_000 });
      await second[Symbol.asyncDispose]();
      await vi.waitFor(async () => expect((await ask(question)).status).toBe(503), { timeout: 5_000 });
      return question;
    },
  },
];

/** The code of a refusal, or its number where the dialect has numbers. */
async function refusedAs(dialect: DialectCase, response: Response): Promise<string | number> {
  const body = (await response.json()) as { code?: number; error?: { code: string } };
  expectValid(dialect, 'error', body);
  return body.error?.code ?? body.code ?? '';
}

/** Clients that try again by themselves, each with one call that ends in an error after one retry at most. */
const CLIENTS: readonly {
  name: string;
  call: (fetch: typeof globalThis.fetch, question: Question) => Promise<unknown>;
}[] = [
  { name: 'openai, whole', call: (fetch, question) => byOpenai(fetch, question, false) },
  { name: 'openai, streamed', call: (fetch, question) => byOpenai(fetch, question, true) },
  { name: 'AI SDK, whole', call: (fetch, question) => generateText(bySdk(fetch, question)) },
  {
    name: 'AI SDK, streamed',
    call: async (fetch, question) => {
      const stream = streamText({ ...bySdk(fetch, question), onError: () => {} });
      await stream.consumeStream();
      return stream.text;
    },
  },
];

function byOpenai(fetch: typeof globalThis.fetch, question: Question, stream: boolean): Promise<unknown> {
  const { key, model = card.model, headers = {}, at = api } = question;
  const client = new OpenAI({ baseURL: `${at.url}/v1`, apiKey: key, maxRetries: 1, fetch });
  return client.chat.completions.create({ model, messages, max_tokens: 10, stream }, { headers });
}

function bySdk(fetch: typeof globalThis.fetch, { key, model = card.model, headers = {}, at = api }: Question) {
  const provider = createOpenAICompatible({ name: 'millrace', baseURL: `${at.url}/v1`, apiKey: key, headers, fetch });
  return { model: provider(model), messages, maxOutputTokens: 10, maxRetries: 1 };
}

/** What a client sends on one call, with waits shortened: whether it waits is its own decision. */
async function triesOf(call: (typeof CLIENTS)[number]['call'], question: Question): Promise<number[]> {
  const statuses: number[] = [];
  const quick: typeof globalThis.fetch = async (url, init) => {
    const response = await fetch(url, init);
    statuses.push(response.status);
    const told = new Headers(response.headers);
    if (told.has('retry-after-ms')) told.set('retry-after-ms', '1');
    return new Response(response.body, { status: response.status, headers: told });
  };
  await expect(call(quick, question)).rejects.toThrow();
  return statuses;
}

const numbers = new Map<string, Set<string | number>>();

async function expectRefused({ status, code, retried }: Row, question: Question): Promise<void> {
  const at = question.at ?? api;
  for (const dialect of DIALECT_CASES) {
    const response = await ask(question, dialect);
    expect([dialect.path, response.status]).toEqual([dialect.path, status]);
    const told = await refusedAs(dialect, response);
    if (dialect.prefix !== null) expect([dialect.path, told]).toEqual([dialect.path, code]);
    else numbers.set(code, (numbers.get(code) ?? new Set()).add(told));
    expect(response.headers.get('x-request-id')).toBeTruthy();
    expect(response.headers.get('x-should-retry')).toBe(status === 402 ? 'false' : null);
    const seconds = response.headers.get('retry-after');
    const waitMs = Number(response.headers.get('retry-after-ms'));
    if (status === 429 || status === 503) {
      expect(Number(seconds)).toBe(Math.max(1, Math.ceil(waitMs / 1_000)));
      expect(waitMs).toBeGreaterThan(0);
      // Clients take a wait for one that is less than a minute.
      expect(waitMs).toBeLessThan(60_000);
    } else expect(seconds).toBeNull();
  }
  for (const { name, call } of CLIENTS) {
    expect([name, await triesOf(call, question)]).toEqual([name, retried ? [status, status] : [status]]);
  }
  expect((await fetch(`${at.url}/healthz`)).status).toBe(200);
  expect((await fetch(`${at.managementUrl}/healthz`)).status).toBe(200);
}

describe('a refusal because of', () => {
  it.each(ROWS)('$cause is $status $code in every dialect', async (row) => {
    const question = await row.arrange();
    await expectRefused(row, question);
    const fakes = Array.from({ length: 2 * QUEUE_PLACES }, (_, index) => `nobody-${index}`);
    await redis.zrem(redisKeys.prioritizedJobs(card.model), ...fakes);
    await quiet();
  });

  it('stopping is 503 unavailable in every dialect', async () => {
    const stopping = await ProductProcess.start('api', { REDIS_URL: server.url });
    holding = true;
    const open = ask({ key: TEST_KEY, at: stopping });
    await vi.waitFor(() => expect(held).toHaveLength(1));
    const end = stopping.stop();
    const question = { key: TEST_KEY, at: stopping };
    // One that is there before the signal is let in, and would wait for the seat that is held: it leaves again.
    await vi.waitFor(async () => {
      expect((await ask(question, undefined, AbortSignal.timeout(1_000))).status).toBe(503);
    });
    await expectRefused({ cause: '', status: 503, code: 'unavailable', retried: true, arrange: keyOf }, question);
    await quiet();
    expect((await open).status).toBe(200);
    expect(await end).toBe(0);
  });

  it('a lost Redis is 503 unavailable in every dialect, and ends by itself; limits and credits outlive it', async () => {
    const limited = await keyOf({ requestsPerMinute: 1, credits: 'metered' });
    const tenantId = `tenant-${tenants}`;
    await redis.hset(redisKeys.account(tenantId), { granted: 5_000_000, balance: 5_000_000, held: 0, spent: 0 });
    expect((await ask(limited)).status).toBe(200);
    await vi.waitFor(async () => expect(await redis.hget(redisKeys.account(tenantId), 'held')).toBe('0'));
    const account = await redis.hgetall(redisKeys.account(tenantId));
    await server.kill();
    const question = { key: TEST_KEY };
    await vi.waitFor(async () => expect((await ask(question)).status).toBe(503));
    await expectRefused({ cause: '', status: 503, code: 'unavailable', retried: true, arrange: keyOf }, question);
    await server.restart();
    await vi.waitFor(async () => expect((await ask(question)).status).toBe(200), { timeout: 10_000, interval: 100 });
    expect(await redis.hgetall(redisKeys.account(tenantId))).toEqual(account);
    const again = await ask(limited);
    expect([again.status, await refusedAs(DIALECT_CASES[0]!, again)]).toEqual([429, 'rate_limit_exceeded']);
  }, 30_000);

  it('one cause has one number where a dialect has numbers, and no two share one', () => {
    const all = [...numbers.values()];
    for (const of of all) expect(of.size).toBe(1);
    expect(new Set(all.flatMap((of) => [...of])).size).toBe(all.length);
  });
});
