import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OpenaiErrorBody as ErrorBody } from '../../apps/api/src/dialects/chat-answer/answer-fields.ts';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';
import { eventsOf, MESSAGES, ScriptedApi, until } from '../support/scripted-api.ts';
import { ScriptedWorker } from '../support/scripted-worker.ts';

let cluster: ScriptedApi;
beforeAll(async () => {
  cluster = await ScriptedApi.start();
}, 120_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  cluster.script = ScriptedApi.hello;
});

it('has nothing for pages of other origins unless it is told which', async () => {
  const headers = { origin: 'https://pages.example', 'access-control-request-method': 'POST' };
  const preflight = await fetch(`${cluster.url}/v1/chat/completions`, { method: 'OPTIONS', headers });
  const answer = await cluster.ask({}, { origin: 'https://pages.example' });
  expect([preflight.status, answer.status]).toEqual([405, 200]);
  const names = [...preflight.headers.keys(), ...answer.headers.keys()];
  expect(names.filter((name) => /^access-control-|^vary$/.test(name))).toEqual([]);
});

describe('health and documentation', () => {
  it('need no key, on both ports', async () => {
    for (const base of [cluster.url, cluster.api.managementUrl]) {
      expect(await (await fetch(`${base}/healthz`)).json()).toEqual({ status: 'ok' });
      expect(await (await fetch(`${base}/readyz`)).json()).toMatchObject({
        status: 'ready',
        checks: { redis: 'ok', relay: 'ok' },
      });
    }
    const document = (await (await fetch(`${cluster.url}/openapi.json`)).json()) as { openapi: string; paths: object };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toContain('/v1/chat/completions');
    for (const path of [
      'tenants',
      'queues',
      'tenants/{id}/keys',
      'tenants/{id}/usage',
      'tenants/{id}/ledger',
      'prices',
    ]) {
      expect(Object.keys(document.paths)).toContain(`/admin/v1/${path}`);
    }
    for (const path of ['/docs', '/docs/swagger-ui-bundle.js', '/docs/swagger-ui-init.js', '/docs/swagger-ui.css']) {
      expect((await fetch(`${cluster.url}${path}`)).status, path).toBe(200);
    }
  });

  it('tell an operator how the queues stand', async () => {
    const headers = { authorization: `Bearer ${TEST_KEY}` };
    const { queues } = (await (await fetch(`${cluster.url}/admin/v1/queues`, { headers })).json()) as {
      queues: object[];
    };
    expect(queues).toContainEqual({
      ...{ model: cluster.card.model, waiting: 0, liveWorkers: 1, estimatedWaitMs: 0 },
      ...{ active: expect.any(Number), liveSlots: expect.any(Number), drainRate: expect.any(Number) },
    });
  });

  it('never log what was asked or answered, nor the key', async () => {
    await cluster.ask({ messages: [{ role: 'user', content: 'my secret question' }] });
    expect(cluster.api.output).toContain('"route":"/v1/chat/completions"');
    expect(cluster.api.output).not.toMatch(/my secret question|Hello you/);
    expect(cluster.api.output).not.toContain(TEST_KEY);
  });
});

describe('the process', () => {
  it('goes on with open streams when Redis is lost, and refuses new requests at once', async () => {
    await using own = await RedisServer.start();
    const turn = Promise.withResolvers<void>();
    await using its = await ScriptedWorker.start({
      redisUrl: own.url,
      card: cluster.card,
      run: async (job) => {
        job.say('before');
        await turn.promise;
        job.say(' after');
        job.finish();
      },
    });
    await using other = await ProductProcess.start('api', { REDIS_URL: own.url });
    const request = (stream: boolean) =>
      fetch(`${other.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: cluster.card.model, messages: MESSAGES, stream }),
      });
    const open = await request(true);
    await until(() => its.jobs.length === 1, 'the job at the worker');
    await own.kill();
    await sleep(50);
    const refusalsMs: number[] = [];
    for (let attempt = 0; attempt < 5; attempt++) {
      const start = performance.now();
      const refused = await request(true);
      refusalsMs.push(performance.now() - start);
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(ErrorBody.parse(await refused.json()).error.code).toBe('unavailable');
    }
    // The quickest one: how long it takes when the machine lets it.
    expect(Math.min(...refusalsMs)).toBeLessThan(100);
    expect((await fetch(`${other.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${other.url}/healthz`)).status).toBe(200);
    turn.resolve();
    const all = await eventsOf(open);
    expect(all.at(-1)).toBe('[DONE]');
    expect(JSON.stringify(all)).toContain(' after');
    expect(its.jobs).toHaveLength(1);
  });

  it('finishes open streams after SIGTERM, takes no new ones, and exits with 0', async () => {
    await using other = await ProductProcess.start('api', { REDIS_URL: cluster.redis.url });
    const turn = Promise.withResolvers<void>();
    cluster.script = async (job) => {
      job.say('before');
      await turn.promise;
      job.say(' after');
      job.finish();
    };
    const url = `${other.url}/v1/chat/completions`;
    const request = {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: cluster.card.model, messages: MESSAGES, stream: true }),
    };
    const open = await fetch(url, request);
    const stopped = other.stop();
    await until(async () => (await fetch(`${other.managementUrl}/readyz`)).status === 503, 'readiness red');
    const refused = await fetch(url, request);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    turn.resolve();
    expect((await eventsOf(open)).at(-1)).toBe('[DONE]');
    expect(await stopped).toBe(0);
  });

  it('ends streams that outlast the grace time with an error event', async () => {
    await using other = await ProductProcess.start('api', { REDIS_URL: cluster.redis.url, MILLRACE_GRACE_MS: '200' });
    cluster.script = async (job) => {
      job.say('before');
      await once(job.cancelled, 'abort');
    };
    const open = await fetch(`${other.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: cluster.card.model, messages: MESSAGES, stream: true }),
    });
    const stopped = other.stop();
    expect(ErrorBody.parse((await eventsOf(open)).at(-1)).error.code).toBe('unavailable');
    expect(await stopped).toBe(0);
  });

  it('says which port is taken and exits with 1', async () => {
    const { port } = new URL(cluster.url);
    await using other = ProductProcess.spawn('api', { REDIS_URL: cluster.redis.url, MILLRACE_HTTP_PORT: port });
    expect((await other.exit).code).toBe(1);
    expect(other.output).toContain(`Port ${port} on 127.0.0.1 is taken by another process (MILLRACE_HTTP_PORT)`);
    expect(other.messages).toMatchObject([{ type: 'failed', message: expect.stringContaining('MILLRACE_HTTP_PORT') }]);
  });

  it('says that Redis does not answer and exits with 1', async () => {
    await using other = ProductProcess.spawn('api', { REDIS_URL: 'redis://:secret@127.0.0.1:1' });
    expect((await other.exit).code).toBe(1);
    expect(other.output).toMatch(/Redis at redis:\/\/127\.0\.0\.1:1 \(REDIS_URL\) does not answer: .*ECONNREFUSED/);
    expect(other.output).not.toContain('secret');
  });

  it('exits when whoever started it is gone', async () => {
    await using other = await ProductProcess.start('api', { REDIS_URL: cluster.redis.url });
    other.child.disconnect();
    expect((await other.exit).code).toBe(0);
  });
});
