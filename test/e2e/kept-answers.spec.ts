import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KeyStore, LedgerReader, microcreditsOf, TenantAccount, TenantStore } from '#admission';
import type { ModelCard } from '#contracts';
import { openModelFolder } from '#models';
import { connectRedis, redisKeys } from '#queue';
import { IdempotencyKeys, idempotencyKeyHash } from '#requests';
import { fingerprintOf } from '../../apps/api/src/generate/kept/answer-desk.ts';
import { DIALECT_CASES, STREAMING_CASES } from '../support/dialect-cases.ts';
import { ProductProcess } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type ScriptedJob, ScriptedWorker } from '../support/scripted-worker.ts';

const WORDS = 40;
const MOST_BYTES = 20_000;

let server: RedisServer;
let redis: Redis;
let apis: ProductProcess[];
let worker: ScriptedWorker;
let card: ModelCard;
let script: (job: ScriptedJob) => Promise<void>;
let count = 0;

const settings = () => ({
  REDIS_URL: server.url,
  MILLRACE_LEASE_MS: '3000',
  MILLRACE_DETACHED_MS: '4000',
  MILLRACE_GRACE_MS: '300',
  MILLRACE_ANSWER_KEPT_BYTES: String(MOST_BYTES),
  MILLRACE_TENANT_KEPT_BYTES: String(2 * MOST_BYTES),
  MILLRACE_LOG_LEVEL: 'info',
});

beforeAll(async () => {
  server = await RedisServer.start();
  redis = connectRedis(server.url, 'producer');
  card = (await openModelFolder('test/fixtures/models/tiny-llama')).card({ model: 'tiny/llama', contextLength: 2048 });
  worker = await ScriptedWorker.start({ redisUrl: server.url, card, slots: 8, run: (job) => script(job) });
  apis = await Promise.all([ProductProcess.start('api', settings()), ProductProcess.start('api', settings())]);
}, 120_000);

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await Promise.all((apis ?? []).map((api) => api[Symbol.asyncDispose]()));
  redis?.disconnect();
  await server?.[Symbol.asyncDispose]();
});

/** Opens the way for the words behind the fifth of every choice. */
let gate: PromiseWithResolvers<void>;

beforeEach(() => {
  gate = Promise.withResolvers<void>();
  gate.resolve();
  script = talk;
});

/** Each choice counts up, a word per step, from where an earlier attempt was; waits at the gate after five. */
async function talk({ job, resume, cancelled, say, finish }: ScriptedJob): Promise<void> {
  const from = Array.from({ length: job.choices }, (_, choice) => resume[choice]?.tokenIds.length ?? 0);
  for (let word = Math.min(...from); word < WORDS; word++) {
    if (word === 5) await Promise.race([gate.promise, ended(cancelled)]);
    if (cancelled.aborted) break;
    for (const [choice, begun] of from.entries()) if (word >= begun) say(` ${choice}-${word}`, { choice });
    if (word % 8 === 7) await sleep(2);
  }
  for (const [choice] of from.entries()) {
    if (resume[choice]?.finished !== true) finish({ choice, reason: cancelled.aborted ? 'cancelled' : 'stop' });
  }
}

const ended = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

interface Team {
  readonly id: string;
  readonly key: string;
  readonly account: TenantAccount;
}

async function team(credits = 1_000): Promise<Team> {
  count += 1;
  const id = `keeper-${count}`;
  await new TenantStore(redis).put({ id, queueShare: 1, credits: 'metered' });
  const account = new TenantAccount(redis, id);
  await account.grant('first', microcreditsOf(credits));
  return { id, key: (await new KeyStore(redis).create({ tenantId: id })).key, account };
}

interface Asking {
  readonly at?: number;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

const bodyOf = (more: object = {}) => ({
  model: card.model,
  messages: [{ role: 'user', content: 'Hello' }],
  max_tokens: 100,
  ...more,
});

function post(who: Team, body: object, { at = 0, path = '/v1/chat/completions', headers = {}, signal }: Asking = {}) {
  return fetch(`${apis[at]!.url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${who.key}`, 'content-type': 'application/json', ...headers },
    signal: signal ?? null,
  });
}

const get = (who: Team, path: string, { at = 0, headers = {} }: Asking = {}) =>
  fetch(`${apis[at]!.url}${path}`, { headers: { authorization: `Bearer ${who.key}`, ...headers } });

interface Event {
  readonly id: string | null;
  readonly data: string;
}

/** Reads events until the stream ends or `until` of them have come, and tells how many have at each. */
async function read(
  response: Response,
  until = Number.POSITIVE_INFINITY,
  onEvent: (count: number) => void = () => {},
): Promise<Event[]> {
  expect(response.status).toBe(200);
  const events: Event[] = [];
  let rest = '';
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return events;
      const pieces = (rest + value).split('\n\n');
      rest = pieces.pop() ?? '';
      for (const piece of pieces) {
        const data = /^data: (.*)$/m.exec(piece)?.[1];
        if (data === undefined) continue;
        events.push({ id: /^id: (.*)$/m.exec(piece)?.[1] ?? null, data });
        onEvent(events.length);
        if (events.length >= until) return events;
      }
    }
  } catch {
    return events;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** By choice, since which choice comes first is not promised. */
const byChoice = (events: readonly Event[]) =>
  Object.groupBy(
    events.map(({ data }) => data),
    (data) => /"index":(\d+)/.exec(data)?.[1] ?? 'all',
  );

async function usageEntries(who: Team) {
  const entries = await new LedgerReader(redis, `audit-${Math.random()}`, 'one').read(who.id, 1_000);
  return entries.filter(({ kind }) => kind === 'usage');
}

async function expectSettled(who: Team): Promise<void> {
  await expect.poll(async () => (await who.account.sums()).held, { timeout: 10_000 }).toBe(0);
  const { granted, balance, spent } = await who.account.sums();
  expect(spent).toBe(granted - balance);
}

const key = () => {
  count += 1;
  return `"key-${count}"`;
};

describe('Idempotency-Key', () => {
  it.each(DIALECT_CASES)(
    'gives $name the finished answer again, on another replica, and pays once',
    async ({ path }) => {
      const who = await team();
      const headers = { 'idempotency-key': key() };
      const before = worker.jobs.length;
      const first = await post(who, bodyOf(), { path, headers });
      expect(first.headers.get('idempotent-replayed')).toBeNull();
      const text = await first.text();
      await expect
        .poll(async () => {
          const again = await post(who, bodyOf(), { path, headers, at: 1 });
          return [again.status, again.headers.get('idempotent-replayed'), await again.text()];
        })
        .toEqual([200, 'true', text]);
      expect(worker.jobs.length - before).toBe(1);
      await expectSettled(who);
      expect(await usageEntries(who)).toHaveLength(1);
    },
  );

  it.each(STREAMING_CASES)('tells a stream of $name again from its start, then as it goes on', async ({ path }) => {
    const who = await team();
    gate = Promise.withResolvers<void>();
    const headers = { 'idempotency-key': key() };
    const body = bodyOf({ stream: true, stream_options: { include_usage: true } });
    const first = post(who, body, { path, headers }).then((response) => read(response));
    await expect.poll(() => worker.jobs.at(-1)?.tenantId).toBe(who.id);
    await sleep(100);
    const second = post(who, body, { path, headers, at: 1 }).then((response) => read(response));
    await sleep(200);
    gate.resolve();
    const [one, two] = await Promise.all([first, second]);
    expect(one.at(-1)?.data).toBe('[DONE]');
    expect(two).toEqual(one);
    expect(new Set(one.map(({ id }) => id)).size).toBe(one.length);
    await expectSettled(who);
  });

  it('lets one of many requests that come together run, and gives its answer to all', async () => {
    const who = await team();
    const headers = { 'idempotency-key': key() };
    const before = worker.jobs.length;
    const responses = await Promise.all(
      Array.from({ length: 12 }, (_, index) => post(who, bodyOf(), { headers, at: index % 2 })),
    );
    const texts = await Promise.all(responses.map((response) => response.text()));
    expect(responses.map(({ status }) => status)).toEqual(texts.map(() => 200));
    expect(new Set(texts).size).toBe(1);
    expect(worker.jobs.length - before).toBe(1);
    await expectSettled(who);
    expect(await usageEntries(who)).toHaveLength(1);
  });

  it('refuses another body or route under the same key with 422, and a key that is none with 400', async () => {
    const who = await team();
    const headers = { 'idempotency-key': key() };
    await (await post(who, bodyOf(), { headers })).text();
    const reordered = Object.fromEntries(Object.entries(bodyOf()).reverse());
    await expect.poll(async () => (await post(who, reordered, { headers, at: 1 })).status).toBe(200);
    for (const dialect of DIALECT_CASES) {
      const response = await post(who, bodyOf({ max_tokens: 99 }), { headers, at: 1, path: dialect.path });
      expect(response.status).toBe(422);
      expect(JSON.stringify(await response.json())).toContain('stands for another request');
    }
    for (const wrong of ['', 'with space', 'x'.repeat(256), 'é', '"open', 'a"b']) {
      const response = await post(who, bodyOf(), { headers: { 'idempotency-key': wrong } });
      expect([wrong, response.status]).toEqual([wrong, 400]);
      expect(await response.text()).toContain('Idempotency-Key');
    }
    for (const { path } of STREAMING_CASES) {
      const response = await post(who, bodyOf({ stream: true }), { headers: { 'last-event-id': '1.0' }, path });
      expect([response.status, await response.text()]).toEqual([404, expect.stringContaining('Last-Event-ID')]);
    }
  });

  it('is each tenant’s own', async () => {
    const [one, other] = [await team(), await team()];
    const headers = { 'idempotency-key': key() };
    const ids = [];
    for (const who of [one, other])
      ids.push(((await (await post(who, bodyOf(), { headers })).json()) as { id: string }).id);
    expect(new Set(ids).size).toBe(2);
    for (const who of [one, other]) await expectSettled(who);
    const foreign = await get(other, `/v1/requests/${ids[0]}/answer`);
    expect(foreign.status).toBe(404);
  });

  it('is free again after a refusal, and a try after a failure that can pass does not pay twice', async () => {
    const poor = await team(0.001);
    const headers = { 'idempotency-key': key() };
    expect((await post(poor, bodyOf(), { headers })).status).toBe(402);
    await poor.account.grant('second', microcreditsOf(10));
    expect((await post(poor, bodyOf(), { headers, at: 1 })).status).toBe(200);
    await expectSettled(poor);

    const who = await team();
    script = async (job) => {
      for (let word = 0; word < 10; word++) job.say(` 0-${word}`);
      job.fail('unavailable', 'gone.');
    };
    const failing = { 'idempotency-key': key() };
    const broken = await (await post(who, bodyOf({ stream: true }), { headers: failing })).text();
    expect(broken).toContain('"error"');
    await expectSettled(who);
    const paid = (await who.account.sums()).spent;
    expect(paid).toBeGreaterThan(0);
    script = talk;
    const again = bodyOf({ stream: true });
    const chunks = await read(await post(who, again, { headers: failing, at: 1 }));
    expect(chunks.at(-1)?.data).toBe('[DONE]');
    await expectSettled(who);
    const { promptTokens, completionTokens } = (await usageEntries(who)).at(-1)!;
    expect((await who.account.sums()).spent).toBe(microcreditsOf((promptTokens + completionTokens) / 1_000));
  });

  it('lets OpenAI’s client try again after a lost connection without another answer, or paying twice', async () => {
    const who = await team();
    const before = worker.jobs.length;
    let tries = 0;
    const client = new OpenAI({
      baseURL: `${apis[0]!.url}/v1`,
      apiKey: who.key,
      fetch: async (url, init) => {
        const response = await fetch(url, init);
        tries += 1;
        if (tries > 1) return response;
        await response.body?.cancel();
        throw new TypeError('fetch failed');
      },
    });
    const asked = client.chat.completions.create(
      { model: card.model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100 },
      { headers: { 'Idempotency-Key': key() } },
    );
    const { data, response } = await asked.withResponse();
    expect(data.choices[0]?.message.content).toContain(`0-${WORDS - 1}`);
    expect([tries, response.headers.get('idempotent-replayed')]).toEqual([2, 'true']);
    expect(worker.jobs.length - before).toBe(1);
    await expectSettled(who);
    expect(await usageEntries(who)).toHaveLength(1);
  });

  it('is taken from a replica that died while it let the request in', async () => {
    const who = await team();
    const value = key();
    const fingerprint = fingerprintOf('/v1/chat/completions', bodyOf());
    const keyHash = idempotencyKeyHash(value.slice(1, -1));
    const use = { tenantId: who.id, keyHash, fingerprint, requestId: 'gone', replicaId: 'api-gone', replaces: null };
    expect((await new IdempotencyKeys(redis).claim(use)).verdict).toBe('new');
    const beganMs = performance.now();
    expect((await post(who, bodyOf(), { headers: { 'idempotency-key': value } })).status).toBe(200);
    expect(performance.now() - beganMs).toBeLessThan(2_000);
  });

  it('gives a failure that can not pass again, without another try', async () => {
    const who = await team();
    script = async (job) => job.fail('attempts_exhausted', 'it ends its workers.');
    const headers = { 'idempotency-key': key() };
    const before = worker.jobs.length;
    const first = await post(who, bodyOf(), { headers });
    // Clients that try again by themselves would only end more workers.
    expect([first.status, first.headers.get('x-should-retry')]).toEqual([500, 'false']);
    await expect.poll(async () => (await post(who, bodyOf(), { headers, at: 1 })).status).toBe(500);
    expect(worker.jobs.length - before).toBe(1);
  });
});

describe('a stream that was broken', () => {
  it.each([1, 3])('goes on behind the last event on another replica, %s choices', async (n) => {
    const who = await team();
    const body = bodyOf({ stream: true, n, stream_options: { include_usage: true } });
    const headers = { 'x-millrace-resumable': 'true', 'x-request-id': `mine-${who.id}` };
    const whole = await read(await post(who, body, { headers: { 'x-millrace-resumable': 'true' } }));
    expect(whole.at(-1)?.data).toBe('[DONE]');
    gate = Promise.withResolvers<void>();
    const had = await read(await post(who, body, { headers }), 4 * n);
    gate.resolve();
    const rest = await read(
      await get(who, `/v1/requests/mine-${who.id}/answer`, { at: 1, headers: { 'last-event-id': had.at(-1)!.id! } }),
    );
    const anonymous = (events: Event[]) =>
      byChoice(events.map(({ id, data }) => ({ id, data: data.replace(/"id":"[^"]*"|"created":\d+/g, '') })));
    expect(anonymous([...had, ...rest])).toEqual(anonymous(whole));
    expect(rest.at(-1)?.data).toBe('[DONE]');
    const wrong = await get(who, `/v1/requests/mine-${who.id}/answer`, { headers: { 'last-event-id': '1.2.3.4.5.6' } });
    expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining('Last-Event-ID')]);
    await expectSettled(who);
  });

  it('goes on without a client for the time that is set, and is cancelled then', async () => {
    const who = await team();
    gate = Promise.withResolvers<void>();
    const headers = { 'x-millrace-resumable': 'true', 'x-request-id': `left-${who.id}` };
    await read(await post(who, bodyOf({ stream: true }), { headers }), 3);
    const stateOf = async () =>
      ((await (await get(who, `/v1/requests/left-${who.id}`, { at: 1 })).json()) as { state: string }).state;
    await sleep(1_500);
    expect(await stateOf()).toBe('running');
    await expect.poll(stateOf, { timeout: 6_000 }).toBe('cancelled');
    await expectSettled(who);
    expect((await usageEntries(who)).map(({ outcome, completionTokens }) => [outcome, completionTokens])).toEqual([
      ['cancelled', 5],
    ]);
  });

  it('ends with its connection when nobody asked for more', async () => {
    const who = await team();
    gate = Promise.withResolvers<void>();
    const headers = { 'x-request-id': `plain-${who.id}` };
    const had = await read(await post(who, bodyOf({ stream: true }), { headers }), 3);
    expect(had.every(({ id }) => id === null)).toBe(true);
    await expectSettled(who);
    expect((await get(who, `/v1/requests/plain-${who.id}/answer`)).status).toBe(404);
    expect(await redis.zcard(redisKeys.keptIndex(who.id))).toBe(0);
  });

  it('is kept within bounds: what is too large not at all, and of several the newest', async () => {
    const who = await team();
    const text = 'x'.repeat(1_000);
    script = async (job) => {
      const words = job.job.stop.maxTokens;
      for (let word = 0; word < words; word++) job.say(text);
      job.finish();
    };
    const ask = (id: string, max_tokens: number) =>
      post(who, bodyOf({ max_tokens }), {
        headers: { 'x-millrace-resumable': 'true', 'x-request-id': `${id}-${who.id}` },
      });
    const large = (await (await ask('large', 30)).json()) as { choices: { message: { content: string } }[] };
    expect(large.choices[0]?.message.content).toHaveLength(30_000);
    await expect.poll(async () => (await get(who, `/v1/requests/large-${who.id}/answer`)).status).toBe(404);
    for (const id of ['one', 'two', 'three']) await (await ask(id, 15)).text();
    await expect.poll(async () => (await get(who, `/v1/requests/three-${who.id}/answer`, { at: 1 })).status).toBe(200);
    expect((await get(who, `/v1/requests/one-${who.id}/answer`, { at: 1 })).status).toBe(404);
    const bytes = Number(await redis.hget(redisKeys.keptBytes(who.id), 'total'));
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(2 * MOST_BYTES);
  });
});

describe('x-millrace-resume', () => {
  it('makes another worker prefill what was delivered, and is refused when it is neither exact nor fast', async () => {
    const who = await team();
    for (const [mode, resume] of [
      ['fast', 'fast'],
      ['exact', undefined],
    ] as const) {
      expect((await post(who, bodyOf(), { headers: { 'x-millrace-resume': mode } })).status).toBe(200);
      expect(worker.jobs.at(-1)?.resume).toBe(resume);
    }
    const wrong = await post(who, bodyOf(), { headers: { 'x-millrace-resume': 'quick' } });
    expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining('x-millrace-resume')]);
  });
});

describe('an API replica that goes', () => {
  const replace = async () => {
    apis[0] = await ProductProcess.start('api', settings());
  };

  it.each([1, 3])(
    'by kill -9 leaves its kept streams to another one, byte for byte and paid once, %s choices',
    async (n) => {
      const who = await team();
      const body = bodyOf({ stream: true, n, stream_options: { include_usage: true } });
      const headers = { 'idempotency-key': key() };
      gate = Promise.withResolvers<void>();
      const had = await read(await post(who, body, { headers }), 5 * n);
      await apis[0]!.stop('SIGKILL');
      gate.resolve();
      const rest = await read(
        await post(who, body, { at: 1, headers: { ...headers, 'last-event-id': had.at(-1)!.id! } }),
      );
      const again = await read(await post(who, body, { at: 1, headers }));
      expect(byChoice([...had, ...rest])).toEqual(byChoice(again));
      expect(again.at(-1)?.data).toBe('[DONE]');
      expect(worker.jobs.at(-1)?.epoch).toBeGreaterThan(1);
      await expectSettled(who);
      const entries = await usageEntries(who);
      expect(entries.map(({ outcome, completionTokens }) => [outcome, completionTokens])).toEqual([
        ['completed', WORDS * n],
      ]);
      await replace();
    },
  );

  it('by kill -9 does not keep anybody from its answer who comes back late', async () => {
    const who = await team();
    gate = Promise.withResolvers<void>();
    const headers = { 'idempotency-key': key(), 'x-request-id': `late-${who.id}` };
    const asked = post(who, bodyOf(), { headers }).catch(() => null);
    await expect.poll(() => worker.jobs.at(-1)?.tenantId).toBe(who.id);
    await apis[0]!.stop('SIGKILL');
    await asked;
    gate.resolve();
    const stateOf = async () =>
      ((await (await get(who, `/v1/requests/late-${who.id}`, { at: 1 })).json()) as { state: string }).state;
    await expect.poll(stateOf, { timeout: 8_000 }).toBe('finished');
    const before = worker.jobs.length;
    const response = await post(who, bodyOf(), { headers, at: 1 });
    expect(((await response.json()) as { usage: { completion_tokens: number } }).usage.completion_tokens).toBe(WORDS);
    expect(worker.jobs.length).toBe(before);
    await expectSettled(who);
    expect(await usageEntries(who)).toHaveLength(1);
    await replace();
  });

  it('by SIGTERM breaks off what outlives its grace time, and another one goes on with it at once', async () => {
    const who = await team();
    const body = bodyOf({ stream: true, stream_options: { include_usage: true } });
    const headers = { 'idempotency-key': key() };
    gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const onEvent = (count: number) => count === 2 && begun.resolve();
    const whole = post(who, body, { headers }).then((response) => read(response, Number.POSITIVE_INFINITY, onEvent));
    await begun.promise;
    const stopped = apis[0]!.stop('SIGTERM');
    const had = await whole;
    expect(had.length).toBeGreaterThan(1);
    expect(had.some(({ data }) => data === '[DONE]' || data.includes('"error"'))).toBe(false);
    gate.resolve();
    const rest = await read(
      await post(who, body, { at: 1, headers: { ...headers, 'last-event-id': had.at(-1)!.id! } }),
    );
    expect([...had, ...rest]).toEqual(await read(await post(who, body, { at: 1, headers })));
    expect(rest.at(-1)?.data).toBe('[DONE]');
    expect(await stopped).toBe(0);
    await expectSettled(who);
    expect(await usageEntries(who)).toHaveLength(1);
    await replace();
  });
});
