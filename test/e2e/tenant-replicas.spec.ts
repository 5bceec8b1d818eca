import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KeyStore, microcreditsOf, TenantAccount, type TenantInput, TenantStore } from '#admission';
import type { ModelCard } from '#contracts';
import { openModelFolder } from '#models';
import { connectRedis, redisKeys } from '#queue';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type ScriptedJob, ScriptedWorker } from '../support/scripted-worker.ts';

/** One tenant against four API replicas, as processes over HTTP. */
const REPLICAS = 4;
const ATTACKERS = 1_000;
const SLOTS = 64;

let server: RedisServer;
let redis: Redis;
let apis: ProductProcess[];
let worker: ScriptedWorker;
let card: ModelCard;
let holding = false;
const held: (() => void)[] = [];
/** Every command that Redis was sent. */
const commands: string[] = [];
/** Takes traces. */
let collector: Server;
const traces: string[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  redis = connectRedis(server.url, 'producer');
  const folder = await openModelFolder('test/fixtures/models/tiny-llama');
  card = folder.card({ model: 'tiny-llama', contextLength: 256 });
  worker = await ScriptedWorker.start({ redisUrl: server.url, card, slots: SLOTS, run: answer });
  collector = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => traces.push(chunk.toString('latin1')));
    request.on('end', () => response.end());
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const settings = {
    REDIS_URL: server.url,
    MILLRACE_LOG_LEVEL: 'trace',
    MILLRACE_TRACE_CONTENT: 'true',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    // Sampled by the parent: only what a test asks for.
    OTEL_TRACES_SAMPLER: 'parentbased_always_off',
  };
  apis = await Promise.all(Array.from({ length: REPLICAS }, () => ProductProcess.start('api', settings)));
}, 120_000);

afterAll(async () => {
  for (const end of held.splice(0)) end();
  await worker?.[Symbol.asyncDispose]();
  await Promise.all((apis ?? []).map((api) => api[Symbol.asyncDispose]()));
  collector?.close();
  redis?.disconnect();
  await server?.[Symbol.asyncDispose]();
});

async function answer(job: ScriptedJob): Promise<void> {
  if (holding) await new Promise<void>((resolve) => held.push(resolve));
  job.say('Hi');
  job.finish();
}

async function release(): Promise<void> {
  holding = false;
  for (const end of held.splice(0)) end();
}

async function team(id: string, limits: Partial<TenantInput>): Promise<string> {
  await new TenantStore(redis).put({ id, queueShare: 1, ...limits });
  return (await new KeyStore(redis).create({ tenantId: id })).key;
}

/** Sampled. */
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const post = (api: ProductProcess, key: string, more: object = {}, headers: Record<string, string> = {}) =>
  fetch(`${api.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      model: card.model,
      messages: [{ role: 'user', content: 'Hello' }],
      max_tokens: 10,
      ...more,
    }),
  });

/**
 * All at once, over all replicas. `refused` counts those that are answered already; `failed` those of them that a machine
 * without time for its Redis answers with 503, which may take a place with them.
 */
function attack(key: string) {
  const counts = { refused: 0, failed: 0 };
  const statuses = Array.from({ length: ATTACKERS }, async (_, index) => {
    const response = await post(apis[index % REPLICAS]!, key);
    if (response.status !== 200) counts.refused += 1;
    if (response.status === 503) counts.failed += 1;
    await response.arrayBuffer();
    return response.status;
  });
  return { counts, all: Promise.all(statuses) };
}

/** Never one more, and no fewer than 99 %. */
function expectExact(admitted: number, limit: number, failed: number): void {
  expect(admitted).toBeLessThanOrEqual(limit);
  expect(admitted).toBeGreaterThanOrEqual(Math.floor(limit * 0.99) - failed);
}

const countOf = (statuses: readonly number[], status: number) => statuses.filter((each) => each === status).length;

describe('limits under attack of 1,000 requests at once on four replicas', () => {
  it('admit exactly the requests of a minute', async () => {
    const { all, counts } = attack(await team('by-requests', { requestsPerMinute: 100 }));
    const statuses = await all;
    expectExact(countOf(statuses, 200), 100, counts.failed);
    expect(countOf(statuses, 200) + countOf(statuses, 429) + counts.failed).toBe(ATTACKERS);
  }, 60_000);

  it('admit exactly as many at once as may be open, and each place again when it is free', async () => {
    const key = await team('by-concurrency', { concurrency: 10 });
    holding = true;
    const { counts, all } = attack(key);
    await vi.waitFor(() => expect(counts.refused + held.length).toBe(ATTACKERS), { timeout: 50_000, interval: 20 });
    const open = held.length;
    expectExact(open, 10, counts.failed);
    await release();
    expect(countOf(await all, 200)).toBe(open);
    await vi.waitFor(async () => expect((await post(apis[0]!, key)).status).toBe(200));
  }, 60_000);

  it('admit exactly what credits pay for', async () => {
    // 10 completion tokens are 50 credits, so 5,000 credits hold 100 requests.
    await new TenantStore(redis).putPrices({
      default: { prompt: 1, cachedPrompt: 1, completion: 1 },
      models: { [card.model]: { prompt: 0, cachedPrompt: 0, completion: 5_000 } },
    });
    const account = new TenantAccount(redis, 'by-credits');
    const key = await team('by-credits', { credits: 'metered' });
    await account.grant('first', microcreditsOf(5_000));
    await sleep(600); // prices are believed for 500 ms
    holding = true;
    const { counts, all } = attack(key);
    const waiting = () => redis.zcard(redisKeys.waiting(card.model));
    await vi.waitFor(async () => expect(counts.refused + held.length + (await waiting())).toBe(ATTACKERS), {
      timeout: 50_000,
      interval: 20,
    });
    const open = ATTACKERS - counts.refused;
    expectExact(open, 100, counts.failed);
    await release();
    expect(countOf(await all, 200)).toBe(open);
    // Each answer was one token.
    await vi.waitFor(async () =>
      expect(await account.sums()).toMatchObject({
        held: 0,
        spent: microcreditsOf(5 * open),
      }),
    );
  }, 60_000);
});

async function admin(api: ProductProcess, method: string, path: string, body?: object) {
  const response = await fetch(`${api.url}/admin/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${TEST_KEY}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return response.text();
}

const modelsStatus = async (api: ProductProcess, key: string) =>
  (await fetch(`${api.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status;
const everywhere = (key: string) => Promise.all(apis.map((api) => modelsStatus(api, key)));

describe('keys on four replicas', () => {
  it('are refused everywhere within a second of their revocation or rotation at one of them', async () => {
    await new TenantStore(redis).put({ id: 'turning' });
    const made = JSON.parse(await admin(apis[0]!, 'POST', 'tenants/turning/keys', { note: 'first' }));
    expect(await everywhere(made.key)).toEqual([200, 200, 200, 200]);
    const rotated = JSON.parse(await admin(apis[1]!, 'POST', `keys/${made.record.keyId}/rotate`, {}));
    await sleep(1_000);
    expect(await everywhere(made.key)).toEqual([401, 401, 401, 401]);
    expect(await everywhere(rotated.key)).toEqual([200, 200, 200, 200]);
    await admin(apis[2]!, 'DELETE', `keys/${rotated.record.keyId}`);
    await sleep(1_000);
    expect(await everywhere(rotated.key)).toEqual([401, 401, 401, 401]);
  });

  it('stand nowhere in clear: not in Redis, not in what it was sent, not in logs, traces or admin answers', async () => {
    const monitor = await redis.duplicate({ enableOfflineQueue: true, commandTimeout: undefined }).monitor();
    monitor.on('error', () => {});
    monitor.on('monitor', (_time: string, args: string[]) => commands.push(args.join(' ')));
    await new TenantStore(redis).put({ id: 'secretive' });
    const made = JSON.parse(await admin(apis[0]!, 'POST', 'tenants/secretive/keys', { role: 'admin' }));
    const secret = made.key.slice(12) as string;
    for (const api of apis) {
      const traced = { traceparent: TRACEPARENT };
      expect((await post(api, made.key, {}, traced)).status).toBe(200);
      await (await post(api, made.key, { stream: true }, traced)).text();
      expect((await post(api, made.key, { max_tokens: -1 }, traced)).status).toBe(400);
      // A key that is nearly right, in the wrong place, or in no place for keys.
      expect((await post(api, `${made.key}x`, {}, traced)).status).toBe(401);
      await fetch(`${api.url}/v1/models`, { headers: { authorization: made.key } });
      await fetch(`${api.url}/admin/v1/tenants`, { headers: { authorization: `Bearer ${made.key}` } });
    }
    const paths = ['tenants', 'tenants/secretive', 'tenants/secretive/keys', 'tenants/secretive/usage'];
    const answers = await Promise.all(
      [...paths, 'tenants/secretive/ledger', 'tenancy', 'prices'].map((path) => admin(apis[0]!, 'GET', path)),
    );
    expect(answers[2]).toContain(made.record.keyId);
    const stored = await everythingIn(redis);
    expect(stored).toContain(made.record.keyId);
    expect(commands.length).toBeGreaterThan(100);
    // Sends its last spans.
    await apis.at(-1)?.stop();
    const places = {
      stored,
      sent: commands.join('\n'),
      answers: answers.join('\n'),
      logs: logs(),
      traces: traces.join(''),
    };
    expect(places.traces.length).toBeGreaterThan(500);
    expect(places.logs).toContain('secretive');
    monitor.disconnect();
    for (const [place, text] of Object.entries(places)) {
      for (const form of [secret, Buffer.from(made.key).toString('base64').slice(8, -8)]) {
        expect([place, text.includes(form)]).toEqual([place, false]);
      }
    }
  }, 60_000);
});

const logs = () => apis.map((api) => api.output).join('\n');

/** All keys and values as text. */
async function everythingIn(connection: Redis): Promise<string> {
  const parts: unknown[] = [];
  for (const key of await connection.keys('*')) {
    const type = await connection.type(key);
    parts.push(key);
    if (type === 'string') parts.push((await connection.getBuffer(key))?.toString('latin1'));
    else if (type === 'hash') parts.push(await connection.hgetall(key));
    else if (type === 'zset') parts.push(await connection.zrange(key, 0, -1));
    else if (type === 'list') parts.push(await connection.lrange(key, 0, -1));
    else if (type === 'set') parts.push(await connection.smembers(key));
    else if (type === 'stream') parts.push(await connection.xrange(key, '-', '+'));
    else throw new Error(`${key} is a ${type}, which this test can not read`);
  }
  return JSON.stringify(parts);
}
