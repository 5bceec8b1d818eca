import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KeyStore, microcreditsOf, TenantAccount, TenantStore } from '#admission';
import type { ModelCard } from '#contracts';
import { openModelFolder } from '#models';
import { connectRedis, ModelQueue } from '#queue';
import { RequestBody } from '../../apps/api/src/requests/request-body.ts';
import { ProductProcess } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type ScriptedJob, ScriptedWorker } from '../support/scripted-worker.ts';

const SLOTS = 2;

let server: RedisServer;
let redis: Redis;
let apis: ProductProcess[];
let worker: ScriptedWorker;
let card: ModelCard;
let script: (job: ScriptedJob) => Promise<void>;
let tenants = 0;
let ids = 0;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = connectRedis(server.url, 'producer');
  card = (await openModelFolder('test/fixtures/models/tiny-llama')).card({ model: 'tiny/llama', contextLength: 256 });
  worker = await ScriptedWorker.start({ redisUrl: server.url, card, slots: SLOTS, run: (job) => script(job) });
  const settings = { REDIS_URL: server.url, MILLRACE_LEASE_MS: '4000', MILLRACE_LOG_LEVEL: 'debug' };
  apis = await Promise.all([ProductProcess.start('api', settings), ProductProcess.start('api', settings)]);
}, 120_000);

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await Promise.all((apis ?? []).map((api) => api[Symbol.asyncDispose]()));
  redis?.disconnect();
  await server?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  script = async (job) => {
    job.say('Hi');
    job.finish();
  };
});

interface Failure {
  readonly error: { readonly code: string };
}

interface Team {
  readonly key: string;
  readonly account: TenantAccount;
}

/** A metered tenant of its own. */
async function team(): Promise<Team> {
  tenants += 1;
  const id = `asker-${tenants}`;
  await new TenantStore(redis).put({ id, queueShare: 1, credits: 'metered' });
  const account = new TenantAccount(redis, id);
  await account.grant('first', microcreditsOf(1_000));
  return { key: (await new KeyStore(redis).create({ tenantId: id })).key, account };
}

/** @param at which replica, from 0 */
function call(at: number, { key }: Team, method: string, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...init.headers };
  return fetch(`${apis[at]!.url}${path}`, { method, ...init, headers });
}

/** Asks at the first replica under an id of its own. */
function ask(
  who: Team,
  more: object = {},
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): { id: string; answer: Promise<Response> } {
  ids += 1;
  const id = `mine-${ids}`;
  const body = JSON.stringify({
    model: card.model,
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 10,
    ...more,
  });
  const answer = call(0, who, 'POST', '/v1/chat/completions', {
    body,
    headers: { 'x-request-id': id, ...headers },
    ...(signal && { signal }),
  });
  answer.catch(() => {});
  return { id, answer };
}

async function seen(at: number, who: Team, id: string): Promise<RequestBody> {
  const response = await call(at, who, 'GET', `/v1/requests/${id}`);
  expect(response.status).toBe(200);
  return RequestBody.strict().parse(await response.json());
}

async function cancel(at: number, who: Team, id: string): Promise<RequestBody> {
  const response = await call(at, who, 'DELETE', `/v1/requests/${id}`);
  expect(response.status).toBe(200);
  return RequestBody.strict().parse(await response.json());
}

const stateOf = (who: Team, id: string, at = 1) =>
  call(at, who, 'GET', `/v1/requests/${id}`).then(async (response) =>
    response.status === 200 ? ((await response.json()) as RequestBody).state : response.status,
  );

/** Says one token, then waits for its end as an engine does that is told to stop between two steps. */
const untilCancelled = async (job: ScriptedJob) => {
  job.say('one');
  await ended(job);
  job.finish({ reason: 'cancelled' });
};
const ended = ({ cancelled }: ScriptedJob) =>
  new Promise<void>((resolve) => {
    if (cancelled.aborted) resolve();
    else cancelled.addEventListener('abort', () => resolve(), { once: true });
  });

/** What a tenant holds, and that its sums are right. */
async function heldBy({ account }: Team): Promise<number> {
  const { granted, balance, held, spent } = await account.sums();
  expect(held + spent).toBe(granted - balance);
  return held;
}

describe('GET /v1/requests/{id}', () => {
  it('tells on any replica what a request has come to, by its own id, its answer’s and that of its response', async () => {
    const who = await team();
    const { id, answer } = ask(who);
    const body = (await (await answer).json()) as { id: string };
    await expect.poll(() => stateOf(who, id)).toBe('finished');
    const finished = await seen(1, who, id);
    expect(finished).toMatchObject({
      id: body.id.slice('chatcmpl-'.length),
      model: card.model,
      attempts: 1,
      queue: null,
      finish_reasons: ['stop'],
      usage: { completion_tokens: 1 },
      error: null,
    });
    expect(await seen(0, who, body.id)).toEqual(finished);
    expect(await seen(1, who, finished.id)).toEqual(finished);
    const unnamed = await call(0, who, 'POST', '/v1/chat/completions', {
      body: JSON.stringify({ model: card.model, messages: [{ role: 'user', content: 'Hello' }] }),
    });
    await expect.poll(() => stateOf(who, unnamed.headers.get('x-request-id') ?? '')).toBe('finished');
    const longest = 'r'.repeat(128);
    await (
      await call(0, who, 'POST', '/v1/chat/completions', {
        body: JSON.stringify({ model: card.model, messages: [{ role: 'user', content: 'Hello' }] }),
        headers: { 'x-request-id': longest },
      })
    ).text();
    await expect.poll(() => stateOf(who, longest)).toBe('finished');
  });

  it('tells a queued request its place and its wait, and a running one that it runs', async () => {
    script = untilCancelled;
    const who = await team();
    const running = Array.from({ length: SLOTS }, () => ask(who));
    for (const { id } of running) await expect.poll(() => stateOf(who, id)).toBe('running');
    const first = ask(who);
    await expect.poll(() => stateOf(who, first.id)).toBe('queued');
    const second = ask(who);
    await expect.poll(() => stateOf(who, second.id)).toBe('queued');
    await expect.poll(async () => (await seen(1, who, second.id)).queue?.position).toBe(2);
    expect((await seen(1, who, second.id)).queue?.estimated_wait_ms).toBeGreaterThan(0);
    for (const { id } of [...running, first, second]) await cancel(1, who, id);
  });

  it('tells nobody of another tenant’s request, and lets nobody end it', async () => {
    const who = await team();
    const { id, answer } = ask(who);
    const { id: answerId } = (await (await answer).json()) as { id: string };
    await expect.poll(() => stateOf(who, id)).toBe('finished');
    const stranger = await team();
    for (const asked of [id, answerId, 'no-such-request', 'a'.repeat(99)]) {
      for (const method of ['GET', 'DELETE']) {
        const response = await call(1, stranger, method, `/v1/requests/${asked}`);
        expect([response.status, ((await response.json()) as Failure).error.code]).toEqual([404, 'not_found']);
      }
    }
  });
});

describe('x-request-timeout-ms', () => {
  const timeout = (timeoutMs: number) => ({ 'x-request-timeout-ms': String(timeoutMs) });

  it('ends a request in its prefill, in the middle of its answer, and while its prompt is made', async () => {
    script = untilCancelled;
    const who = await team();
    const streamed = await ask(who, { stream: true }, timeout(1_000)).answer;
    expect(streamed.status).toBe(200);
    const text = await streamed.text();
    expect(text).toContain('"code":"deadline_exceeded"');
    expect(text).not.toContain('[DONE]');

    let cancelled = 0;
    script = async (job) => {
      await ended(job);
      cancelled += 1;
      job.finish({ reason: 'cancelled' });
    };
    const whole = await ask(who, {}, timeout(1_000)).answer;
    expect([whole.status, ((await whole.json()) as Failure).error.code]).toEqual([504, 'deadline_exceeded']);
    await expect.poll(() => cancelled).toBe(1);

    const before = worker.jobs.length;
    const long = { messages: [{ role: 'user', content: 'mill race '.repeat(300_000) }] };
    const rendering = await ask(who, long, timeout(30)).answer;
    expect([rendering.status, ((await rendering.json()) as Failure).error.code]).toEqual([504, 'deadline_exceeded']);
    expect(worker.jobs.length).toBe(before);
    await expect.poll(() => heldBy(who)).toBe(0);
  });

  it('ends one that waits in the queue, whose job leaves Redis at once, and refuses what is no time', async () => {
    script = untilCancelled;
    const who = await team();
    const running = Array.from({ length: SLOTS }, () => ask(who));
    for (const { id } of running) await expect.poll(() => stateOf(who, id)).toBe('running');
    const queue = new ModelQueue({ model: card.model, redis });
    const late = await ask(who, {}, timeout(400)).answer;
    // The longest wait that it allows ends with it, and either may be noticed first.
    expect(['deadline_exceeded', 'queue_timeout']).toContain(((await late.json()) as Failure).error.code);
    await expect.poll(async () => (await queue.depth()).waiting).toBe(0);
    expect((await ask(who, {}, { 'x-request-timeout-ms': 'soon' }).answer).status).toBe(400);
    for (const { id } of running) await cancel(1, who, id);
    await queue.close();
    await expect.poll(() => heldBy(who)).toBe(0);
  });
});

describe('DELETE /v1/requests/{id}', () => {
  it('ends a running request from another replica, tells its client, and charges what it used, once', async () => {
    script = untilCancelled;
    const who = await team();
    const { id, answer } = ask(who, { stream: true });
    await expect.poll(() => stateOf(who, id)).toBe('running');
    expect((await cancel(1, who, id)).state).toBe('cancelled');
    const text = await (await answer).text();
    expect(text).toContain('"code":"request_cancelled"');
    expect(text).not.toContain('[DONE]');
    const body = await cancel(0, who, id);
    expect([body.state, body.usage?.completion_tokens]).toEqual(['cancelled', 1]);
    await expect.poll(() => heldBy(who)).toBe(0);
    expect((await who.account.sums()).spent).toBe(microcreditsOf((body.usage?.total_tokens ?? 0) / 1_000));
    await expect.poll(() => apis[0]!.output).toMatch(/"phase":"decode","latencyMs":[\d.]+,"msg":"cancelled"/);
  });

  it('takes a queued request out of Redis at once, for nothing, and frees its place', async () => {
    script = untilCancelled;
    const who = await team();
    const running = Array.from({ length: SLOTS }, () => ask(who));
    for (const { id } of running) await expect.poll(() => stateOf(who, id)).toBe('running');
    const queued = ask(who);
    await expect.poll(() => stateOf(who, queued.id)).toBe('queued');
    const queue = new ModelQueue({ model: card.model, redis });
    expect((await queue.depth()).waiting).toBe(1);
    await cancel(1, who, queued.id);
    await expect.poll(async () => (await queue.depth()).waiting).toBe(0);
    const response = await queued.answer;
    expect([response.status, ((await response.json()) as Failure).error.code]).toEqual([499, 'request_cancelled']);
    expect((await seen(0, who, queued.id)).usage?.total_tokens).toBe(0);
    for (const { id } of running) await cancel(1, who, id);
    await expect.poll(() => heldBy(who)).toBe(0);
    await queue.close();
  });

  it('ends a request in its prefill and one that waits for another worker', async () => {
    const stopped: string[] = [];
    script = async (job) => {
      await ended(job);
      stopped.push(job.job.requestId);
      job.finish({ reason: 'cancelled' });
    };
    const who = await team();
    const prefill = ask(who);
    await expect.poll(() => stateOf(who, prefill.id)).toBe('running');
    await cancel(0, who, prefill.id);
    await expect.poll(() => stopped.length).toBe(1);

    script = async (job) => {
      if (job.job.epoch > 1) throw new Error('run again after its end');
      job.say('one');
      worker.stopTaking();
      job.fail('worker_lost', 'gone.');
    };
    const waiting = ask(who, { stream: true });
    await expect.poll(async () => (await seen(1, who, waiting.id)).attempts).toBe(2);
    await cancel(1, who, waiting.id);
    expect(await (await waiting.answer).text()).toContain('"code":"request_cancelled"');
    await expect.poll(() => heldBy(who)).toBe(0);
    await expect.poll(() => apis[0]!.output).toMatch(/"phase":"failover","latencyMs"/);
    await worker[Symbol.asyncDispose]();
    worker = await ScriptedWorker.start({ redisUrl: server.url, card, slots: SLOTS, run: (job) => script(job) });
  });

  it('ends a request whose prompt is still being made, as the client’s leaving does', async () => {
    const who = await team();
    // Renders for a second or so; what comes behind it waits for the thread.
    const long = { messages: [{ role: 'user', content: 'mill race '.repeat(300_000) }] };
    const before = worker.jobs.length;
    const first = ask(who, long);
    const second = ask(who, long);
    const leaving = new AbortController();
    const third = ask(who, long, {}, leaving.signal);
    for (const { id } of [second, third]) await expect.poll(() => stateOf(who, id)).toBe('queued');
    expect((await cancel(1, who, second.id)).state).toBe('cancelled');
    expect((await second.answer).status).toBe(499);
    leaving.abort();
    await expect.poll(() => stateOf(who, third.id)).toBe('cancelled');
    expect((await first.answer).status).toBe(400);
    await expect.poll(() => apis[0]!.output).toMatch(/"phase":"rendering","latencyMs":[\d.]+,"msg":"cancelled"/);
    expect(worker.jobs.length).toBe(before);
    await expect.poll(() => stateOf(who, first.id)).toBe(404);
    expect(await heldBy(who)).toBe(0);
  });

  it('ends a request whose replica is dead, and says of others that they failed with it', async () => {
    script = untilCancelled;
    const who = await team();
    const requests = [ask(who), ask(who)];
    for (const { id } of requests) await expect.poll(() => stateOf(who, id)).toBe('running');
    await apis[0]!.stop('SIGKILL');
    await expect.poll(() => stateOf(who, requests[0]!.id), { timeout: 5_000 }).toBe('failed');
    expect((await seen(1, who, requests[0]!.id)).error?.code).toBe('unavailable');
    expect((await cancel(1, who, requests[1]!.id)).state).toBe('cancelled');
    await expect.poll(() => heldBy(who), { timeout: 15_000 }).toBe(0);
  });
});
