import { setTimeout as sleep } from 'node:timers/promises';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText } from 'ai';
import type { Redis } from 'ioredis';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeyStore, LedgerReader, microcreditsOf, TenantAccount, type TenantInput, TenantStore } from '#admission';
import type { ModelCard } from '#contracts';
import { openModelFolder } from '#models';
import { connectRedis, redisKeys } from '#queue';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type ScriptedJob, ScriptedWorker } from '../support/scripted-worker.ts';

const SLOTS = 2;
const QUEUE_PLACES = 4;
const messages = [{ role: 'user' as const, content: 'Hello' }];

let server: RedisServer;
let redis: Redis;
let api: ProductProcess;
let worker: ScriptedWorker;
let card: ModelCard;
let script: (job: ScriptedJob) => Promise<void>;
let tenants = 0;

const settings = () => ({ REDIS_URL: server.url, MILLRACE_LEASE_MS: '3000' });

beforeAll(async () => {
  server = await RedisServer.start({ append: true });
  redis = connectRedis(server.url, 'producer');
  const folder = await openModelFolder('test/fixtures/models/tiny-llama');
  card = folder.card({ model: 'tiny/llama', contextLength: 256 });
  worker = await ScriptedWorker.start({ redisUrl: server.url, card, slots: SLOTS, run: (job) => script(job) });
  api = await ProductProcess.start('api', { ...settings(), MILLRACE_QUEUE_PLACES: String(QUEUE_PLACES) });
}, 120_000);

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
  redis?.disconnect();
  await server?.[Symbol.asyncDispose]();
});

const answering = async (job: ScriptedJob) => {
  job.say('Hi');
  job.finish();
};
beforeEach(() => {
  script = answering;
});

interface Team {
  readonly id: string;
  readonly key: string;
  readonly keyId: string;
  readonly account: TenantAccount;
  client(maxRetries?: number): OpenAI;
}

/** A tenant of its own with a key and, where it is metered, these credits. */
async function team(limits: Partial<TenantInput> = {}, credits = 0): Promise<Team> {
  tenants += 1;
  const id = `team-${tenants}`;
  await new TenantStore(redis).put({ id, queueShare: 1, ...limits });
  const { key, record } = await new KeyStore(redis).create({ tenantId: id });
  const account = new TenantAccount(redis, id);
  if (credits > 0) await account.grant('first', microcreditsOf(credits));
  const client = (maxRetries = 0) => new OpenAI({ baseURL: `${api.url}/v1`, apiKey: key, maxRetries });
  return { id, key, keyId: record.keyId, account, client };
}

const ask = (client: OpenAI, more: object = {}, options: OpenAI.RequestOptions = {}) =>
  client.chat.completions.create({ model: card.model, messages, max_tokens: 10, ...more }, options);

async function failureOf(promise: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const thrown = await promise.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(thrown instanceof OpenAI.APIError)) throw new Error(`no API error but ${String(thrown)}`);
  return thrown;
}

/** Counts the HTTP requests that a client makes. */
function counting(key: string, maxRetries: number) {
  const statuses: number[] = [];
  const client = new OpenAI({
    baseURL: `${api.url}/v1`,
    apiKey: key,
    maxRetries,
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      statuses.push(response.status);
      return response;
    },
  });
  return { client, statuses };
}

/**
 * Waits until these many have a place and can be taken: a request gets its place before its job is queued, and Redis hears of one that was taken
 * some milliseconds later.
 */
async function untilQueued(waiting: number): Promise<void> {
  await vi.waitFor(async () => {
    expect(await redis.zcard(redisKeys.waiting(card.model))).toBe(waiting);
    expect(await redis.zcard(redisKeys.prioritizedJobs(card.model))).toBe(waiting);
  });
}

/** Jobs that stay running until the test lets them go. */
function holding() {
  const held: ScriptedJob[] = [];
  script = async (job) => {
    held.push(job);
    await new Promise((resolve) => {
      job.cancelled.addEventListener('abort', resolve);
      ends.push(() => {
        job.say('Hi');
        job.finish();
        resolve(null);
      });
    });
  };
  const ends: (() => void)[] = [];
  return {
    held,
    end: () => {
      for (const end of ends.splice(0)) end();
      script = answering;
    },
  };
}

describe('keys', () => {
  it('of tenants are accepted as the bootstrap key is, and 401 after revocation', async () => {
    const { client, keyId } = await team();
    expect((await ask(client())).choices[0]?.message.content).toBe('Hi');
    const bootstrap = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
    expect((await ask(bootstrap)).choices[0]?.message.content).toBe('Hi');
    await new KeyStore(redis).revoke(keyId);
    await vi.waitFor(async () => expect((await failureOf(ask(client()))).status).toBe(401), { timeout: 1_000 });
  });

  it('are never in the log', async () => {
    const { client, key } = await team();
    await ask(client());
    expect(api.output).not.toContain(key.slice(12));
  });
});

describe('402', () => {
  it('comes before anything is charged, and the openai client does not retry it', async () => {
    const { key, account } = await team({ credits: 'metered' }, 0.01);
    const { client, statuses } = counting(key, 2);
    const failure = await failureOf(ask(client, { max_tokens: 100 }));
    expect([failure.status, failure.code, failure.type]).toEqual([402, 'insufficient_credits', 'insufficient_quota']);
    expect(failure.headers?.get('x-should-retry')).toBe('false');
    expect(statuses).toEqual([402]);
    expect(await account.sums()).toEqual({
      granted: 10_000,
      renewed: 0,
      balance: 10_000,
      held: 0,
      spent: 0,
      expired: 0,
    });
  });
});

describe('an allowance', () => {
  const admin = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' };
    const response = await fetch(`${api.url}/admin/v1/${path}`, { method, headers, body: JSON.stringify(body) });
    return { status: response.status, text: await response.text() };
  };

  it('is given through the admin API, spent first, told in headers and 402, and there again in the next period', async () => {
    const { id, client, account } = await team({ credits: 'metered' });
    expect(await admin('PATCH', `tenants/${id}`, { allowance: { credits: 0.04 } })).toMatchObject({ status: 400 });
    const given = await admin('PATCH', `tenants/${id}`, { allowance: { credits: 0.04, period: 'month' } });
    expect(JSON.parse(given.text)).toMatchObject({
      allowance: { credits: 0.04, period: 'month' },
      account: { granted: 0, renewed: 0.04, balance: 0.04, allowance: { left: 0.04 } },
    });
    const { response, data } = await ask(client()).withResponse();
    const now = new Date();
    const nextMonth = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)).toISOString();
    expect(response.headers.get('x-allowance-credits')).toBe('0.04');
    expect(Number(response.headers.get('x-allowance-remaining-credits'))).toBeLessThan(0.04);
    expect(response.headers.get('x-allowance-renews-at')).toBe(nextMonth);
    const spent = (data.usage?.total_tokens ?? 0) / 1_000;

    const failure = await failureOf(ask(client(), { max_tokens: 100 }));
    expect([failure.status, failure.code]).toEqual([402, 'insufficient_credits']);
    expect(failure.headers?.get('x-should-retry')).toBe('false');
    expect(failure.headers?.get('retry-after')).toBeNull();
    expect(failure.message).toContain(`when its allowance renews at ${nextMonth.replace('.000', '')}`);

    // As if its month had ended: what was not used is gone, and all of the next is there, though nobody asked a model.
    await vi.waitFor(async () => expect((await account.sums()).held).toBe(0));
    await redis.hset(redisKeys.account(id), 'allowanceEndsMs', Date.now() - 1);
    const shown = JSON.parse((await admin('GET', `tenants/${id}`)).text);
    const expired = Math.round((0.04 - spent) * 1e6) / 1e6;
    expect(shown.account).toMatchObject({ renewed: 0.08, balance: 0.04, spent, expired, held: 0 });
    const ledger = (await admin('GET', `tenants/${id}/ledger?format=csv`)).text.trim().split('\n').slice(1);
    expect(ledger.map((line) => [line.split(',')[2], Number(line.split(',').at(-1))])).toEqual([
      ['renewal', 0.04],
      ['usage', spent],
      ['expiry', -expired],
      ['renewal', 0.04],
    ]);
    expect((await ask(client())).choices[0]?.message.content).toBe('Hi');

    const listed = JSON.parse((await admin('GET', 'tenants')).text).tenants.find((one: Team) => one.id === id);
    expect(listed.allowance).toEqual({ credits: 0.04, period: 'month' });
    expect(JSON.parse((await admin('GET', 'audit?count=1')).text).entries[0]).toMatchObject({
      action: 'PATCH tenants/:id',
      subject: [id],
      detail: { allowance: { credits: 0.04, period: 'month' } },
    });
  });
});

describe('403', () => {
  it('names the model that the tenant may not use', async () => {
    const { client } = await team({ models: ['another'] });
    const failure = await failureOf(ask(client()));
    expect([failure.status, failure.code]).toEqual([403, 'model_not_allowed']);
    expect(failure.message).toContain('tiny/llama');
  });
});

describe('a tenant’s parameters', () => {
  it('hold requests to the maximum and fill in the default', async () => {
    const { client } = await team({ parameters: { maximumMaxTokens: 20, defaultMaxTokens: 7, maximumChoices: 1 } });
    expect((await failureOf(ask(client(), { max_tokens: 21 }))).status).toBe(400);
    expect((await failureOf(ask(client(), { n: 2 }))).status).toBe(400);
    await ask(client(), { max_tokens: undefined });
    expect(worker.jobs.at(-1)?.stop.maxTokens).toBe(7);
  });
});

describe('429', () => {
  it('rate_limit_exceeded tells when to come back, and how the limits stand', async () => {
    const { client } = await team({ requestsPerMinute: 2, tokensPerMinute: 10_000 });
    const first = await ask(client()).withResponse();
    expect(first.response.headers.get('x-ratelimit-limit-requests')).toBe('2');
    expect(first.response.headers.get('x-ratelimit-remaining-requests')).toBe('1');
    expect(first.response.headers.get('x-ratelimit-limit-tokens')).toBe('10000');
    expect(first.response.headers.get('x-ratelimit-reset-requests')).toMatch(/^(60|61)s$/);
    expect(first.response.headers.get('x-estimated-wait-ms')).toBe('0');
    const body = { model: card.model, messages, max_tokens: 10, stream: true } as const;
    const second = await client().chat.completions.create(body).withResponse();
    expect(second.response.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    for await (const chunk of second.data) expect(chunk.object).toBe('chat.completion.chunk');
    const failure = await failureOf(ask(client()));
    expect([failure.status, failure.code, failure.type]).toEqual([429, 'rate_limit_exceeded', 'rate_limit_error']);
    const waitMs = Number(failure.headers?.get('retry-after-ms'));
    expect(waitMs).toBeGreaterThan(50_000);
    expect(waitMs).toBeLessThanOrEqual(60_000);
    expect(failure.headers?.get('retry-after')).toBe(String(Math.ceil(waitMs / 1_000)));
  });

  it.each(['openai', 'the AI SDK'])(
    'over concurrency is retried by %s after the advertised time, and succeeds',
    async (name) => {
      const { key } = await team({ concurrency: 1 });
      const tries: { status: number; waitMs: number; beganMs: number; endedMs: number }[] = [];
      const noted: typeof globalThis.fetch = async (url, init) => {
        const beganMs = performance.now();
        const response = await fetch(url, init);
        const waitMs = Number(response.headers.get('retry-after-ms'));
        tries.push({ status: response.status, waitMs, beganMs, endedMs: performance.now() });
        return response;
      };
      const at = { baseURL: `${api.url}/v1`, apiKey: key, fetch: noted };
      const retrying = async () => {
        if (name === 'openai') return (await ask(new OpenAI({ ...at, maxRetries: 5 }))).choices[0]?.message.content;
        const model = createOpenAICompatible({ name: 'millrace', ...at })(card.model);
        return (await generateText({ model, messages, maxOutputTokens: 10, maxRetries: 5 })).text;
      };
      const jobs = holding();
      const first = retrying();
      await vi.waitFor(() => expect(jobs.held).toHaveLength(1));
      const second = retrying();
      await vi.waitFor(() => expect(tries.map(({ status }) => status)).toContain(429), { timeout: 5_000 });
      jobs.end();
      expect(await Promise.all([first, second])).toEqual(['Hi', 'Hi']);
      const ofSecond = tries.filter(({ status }) => status === 429);
      for (const { waitMs, endedMs } of ofSecond) {
        const next = tries.find(({ beganMs }) => beganMs > endedMs)!;
        expect(waitMs).toBeGreaterThan(0);
        // A timer may be a millisecond early.
        expect(next.beganMs - endedMs).toBeGreaterThanOrEqual(waitMs - 2);
      }
    },
  );

  it('queue_full and queue_timeout come with an estimate, and a queued request past its time is never run', async () => {
    const { client, account } = await team({ credits: 'metered' }, 100);
    const jobs = holding();
    const running = Array.from({ length: SLOTS }, () => ask(client()));
    await vi.waitFor(() => expect(jobs.held).toHaveLength(SLOTS));
    await untilQueued(0);
    const late = await failureOf(ask(client(), {}, { headers: { 'x-queue-timeout-ms': '0' } }));
    expect([late.status, late.code]).toEqual([429, 'queue_timeout']);

    const taken = worker.jobs.length;
    // The estimate can be too low: then the time itself ends the wait.
    await redis.hset(redisKeys.drain(card.model), 'meanServiceMs', 1);
    const expired = await failureOf(ask(client(), {}, { headers: { 'x-queue-timeout-ms': '300' } }));
    expect([expired.status, expired.code]).toEqual([429, 'queue_timeout']);

    const queued = Array.from({ length: QUEUE_PLACES }, () => ask(client()));
    await untilQueued(QUEUE_PLACES);
    const full = await failureOf(ask(client()));
    expect([full.status, full.code]).toEqual([429, 'queue_full']);
    expect(Number(full.headers?.get('retry-after-ms'))).toBeGreaterThan(0);

    jobs.end();
    await Promise.all([...running, ...queued]);
    expect(worker.jobs).toHaveLength(taken + QUEUE_PLACES);
    const sums = await account.sums();
    expect(sums.held).toBe(0);
    const entries = await new LedgerReader(redis, 'test', 'one').read(account.tenantId, 100);
    const charged = entries.filter((entry) => entry.kind === 'usage' && entry.credits > 0);
    expect(charged).toHaveLength(SLOTS + QUEUE_PLACES);
  });

  it('tells a stream that waits its place and how long it will take', async () => {
    const { key } = await team();
    const jobs = holding();
    const client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: key, maxRetries: 0 });
    const running = Array.from({ length: SLOTS }, () => ask(client));
    await vi.waitFor(() => expect(jobs.held).toHaveLength(SLOTS));
    await untilQueued(0);
    await redis.hset(redisKeys.drain(card.model), 'meanServiceMs', 8_000);
    const first = ask(client);
    await untilQueued(1);
    const response = await fetch(`${api.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: card.model, messages, max_tokens: 5, stream: true }),
    });
    expect(response.headers.get('x-queue-depth')).toBe('1');
    expect(response.headers.get('x-estimated-wait-ms')).toBe('8000');
    jobs.end();
    const text = await response.text();
    expect(text).toMatch(/^: queued position=2 eta_ms=8000\n\n/);
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    await Promise.all([...running, first]);
  });

  it('lets a tenant’s high request go before its own earlier ones, and its low one last', async () => {
    const { key, client } = await team();
    const jobs = holding();
    const running = Array.from({ length: SLOTS }, () => ask(client()));
    await vi.waitFor(() => expect(jobs.held).toHaveLength(SLOTS));
    await untilQueued(0);
    const waiting: Promise<Response>[] = [];
    for (const [index, priority] of ['low', undefined, 'high'].entries()) {
      const body = { model: card.model, messages, max_tokens: 11 + index, priority };
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const init = { method: 'POST', headers, body: JSON.stringify(body) };
      waiting.push(fetch(`${api.url}/v1/chat/completions`, init));
      await untilQueued(index + 1);
    }
    const before = worker.jobs.length;
    // One at a time, so that they are taken one after the other.
    script = answering;
    jobs.end();
    await Promise.all([...running, ...waiting]);
    const limits = worker.jobs.slice(before).map((job) => job.stop.maxTokens);
    expect(limits.indexOf(13)).toBeLessThan(limits.indexOf(11));
    expect(limits[0]).toBe(13);
  });

  it('lets a light tenant’s request go before a flood that was there first', async () => {
    const flood = await team({ queueShare: 0.75 });
    const light = await team();
    const jobs = holding();
    const running = Array.from({ length: SLOTS }, () => ask(flood.client()));
    await vi.waitFor(() => expect(jobs.held).toHaveLength(SLOTS));
    await untilQueued(0);
    const waiting = Array.from({ length: 3 }, () => ask(flood.client()));
    await untilQueued(3);
    expect((await failureOf(ask(flood.client()))).code).toBe('queue_full');
    const before = worker.jobs.length;
    const request = ask(light.client());
    await untilQueued(4);
    jobs.end();
    await Promise.all([...running, ...waiting, request]);
    const order = worker.jobs.slice(before).map((job) => job.tenantId);
    expect(order.indexOf(light.id)).toBeLessThanOrEqual(1);
  });
});

describe('settlement', () => {
  it('charges what was used, under the key and the model, once the answer is complete', async () => {
    const { client, account, keyId } = await team({ credits: 'metered' }, 1);
    const answer = await ask(client());
    const total = answer.usage?.total_tokens ?? 0;
    expect(total).toBeGreaterThan(1);
    await vi.waitFor(async () => expect((await account.sums()).held).toBe(0));
    expect(await account.sums()).toMatchObject({ spent: total * 1_000, balance: 1_000_000 - total * 1_000 });
    const entries = await new LedgerReader(redis, 'test', 'one').read(account.tenantId, 10);
    expect(entries.at(-1)).toMatchObject({ outcome: 'completed', keyId, model: card.model, completionTokens: 1 });
  });

  it('charges prompt, cached and completion tokens at their own prices, and tells usage by day and model', async () => {
    const price = { prompt: 2, cachedPrompt: 0.5, completion: 7 };
    await new TenantStore(redis).putPrices({ default: price, models: {} });
    await sleep(600); // prices are believed for 500 ms
    const { id, client, account } = await team({ credits: 'metered' }, 1);
    const cached = 4;
    script = async (job) => {
      job.say('Hi');
      job.finish({ cachedPromptTokens: cached });
    };
    const { usage } = await ask(client());
    const prompt = usage!.prompt_tokens;
    expect(usage?.prompt_tokens_details?.cached_tokens).toBe(cached);
    const credits = ((prompt - cached) * price.prompt + cached * price.cachedPrompt + price.completion) / 1_000;
    await vi.waitFor(async () => expect((await account.sums()).held).toBe(0));
    expect((await account.sums()).spent).toBe(Math.ceil(credits * 1_000_000));
    const admin = (path: string) =>
      fetch(`${api.url}/admin/v1/${path}`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
    const answer = await admin(`tenants/${id}/usage`);
    const tokens = { promptTokens: prompt, cachedTokens: cached, completionTokens: 1 };
    const row = {
      tenantId: id,
      day: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
      model: card.model,
      requests: 1,
      ...tokens,
    };
    expect(await answer.json()).toEqual({ usage: [{ ...row, keyId: null, keyNote: null, credits }] });

    // Usage stays when its tenant goes, and is among that of all.
    await new TenantStore(redis).remove(id);
    const csv = await (await admin('usage?by=key&format=csv')).text();
    const [header, ...lines] = csv.trim().split('\n');
    expect(header).toBe('tenantId,day,model,keyId,keyNote,requests,promptTokens,cachedTokens,completionTokens,credits');
    const mine = lines.filter((line) => line.startsWith(`${id},`));
    expect(mine).toHaveLength(1);
    expect(mine[0]).toMatch(new RegExp(`,${card.model},[\\w-]+,,1,${prompt},${cached},1,${credits}$`));
    expect(((await (await admin('tenants')).json()) as { unlisted: string[] }).unlisted).toContain(id);
    const plain = { prompt: 1, cachedPrompt: 1, completion: 1 };
    await new TenantStore(redis).putPrices({ default: plain, models: {} });
    await sleep(600);
  });

  it('charges a client that goes away for what was made until then, and frees the rest', async () => {
    const { client, account } = await team({ credits: 'metered', concurrency: 1 }, 1);
    script = async (job) => {
      job.say('Hi');
      await new Promise((resolve) => job.cancelled.addEventListener('abort', resolve));
    };
    const stream = await client().chat.completions.create({
      model: card.model,
      messages,
      max_tokens: 50,
      stream: true,
    });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    stream.controller.abort();
    await vi.waitFor(async () => expect((await account.sums()).held).toBe(0), { timeout: 5_000 });
    const entries = await new LedgerReader(redis, 'test', 'one').read(account.tenantId, 10);
    expect(entries.at(-1)).toMatchObject({ outcome: 'cancelled', completionTokens: 1 });
    script = answering;
    expect((await ask(client())).choices[0]?.message.content).toBe('Hi');
  });

  it('takes nothing for an answer that failed', async () => {
    const { client, account } = await team({ credits: 'metered' }, 1);
    script = async (job) => {
      job.say('Hi');
      job.fail('engine_failed', 'broken on purpose');
    };
    expect((await failureOf(ask(client()))).status).toBe(500);
    await vi.waitFor(async () => expect((await account.sums()).held).toBe(0));
    expect((await account.sums()).spent).toBe(0);
  });

  it('takes back what a killed replica held, within the lease and a heartbeat', async () => {
    const { key, account } = await team({ credits: 'metered', concurrency: 1 }, 1);
    const other = await ProductProcess.start('api', settings());
    const jobs = holding();
    const client = new OpenAI({ baseURL: `${other.url}/v1`, apiKey: key, maxRetries: 0 });
    const lost = failureOf(ask(client));
    await vi.waitFor(() => expect(jobs.held).toHaveLength(1));
    await other.stop('SIGKILL');
    await lost;
    jobs.end();
    expect((await account.sums()).held).toBeGreaterThan(0);
    await vi.waitFor(async () => expect((await account.sums()).held).toBe(0), { timeout: 15_000, interval: 100 });
    expect((await account.sums()).balance).toBe(1_000_000);
  }, 60_000);
});

describe('503', () => {
  it('comes within 100 ms while Redis is away, and ends by itself when Redis is back', async () => {
    const client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
    await ask(client);
    await server.kill();
    await vi.waitFor(async () => expect((await failureOf(ask(client))).code).toBe('unavailable'));
    const refusalsMs: number[] = [];
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const startedMs = performance.now();
      const failure = await failureOf(ask(client));
      refusalsMs.push(performance.now() - startedMs);
      expect([failure.status, failure.code]).toEqual([503, 'unavailable']);
      expect(Number(failure.headers?.get('retry-after'))).toBeGreaterThan(0);
    }
    // The quickest one: how long it takes when the machine lets it.
    expect(Math.min(...refusalsMs)).toBeLessThan(100);
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
    await server.restart();
    await vi.waitFor(async () => expect((await ask(client)).choices[0]?.message.content).toBe('Hi'), {
      timeout: 10_000,
      interval: 100,
    });
  }, 30_000);

  it('no_workers when the last worker left', async () => {
    await worker.leave();
    const client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
    await vi.waitFor(async () => {
      const failure = await failureOf(ask(client));
      expect([failure.status, failure.code, failure.headers?.get('retry-after')]).toEqual([503, 'no_workers', '5']);
    });
  });
});
