import { brotliDecompressSync } from 'node:zlib';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelCard } from '#contracts';
import { openModelFolder } from '#models';
import { connectRedis, redisKeys } from '#queue';
import { generateJob } from '../support/generate-job.ts';
import { JobV1 } from '../support/previous-release/job-v1.ts';
import { ModelCardV1, WorkerRecordV1 } from '../support/previous-release/records-v1.ts';
import { RelayReplicaV1 } from '../support/previous-release/relay-v1.ts';
import { WorkerV1 } from '../support/previous-release/worker-v1.ts';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';
import { ScriptedWorker } from '../support/scripted-worker.ts';

// One release and the one before it in one cluster, as a rolling upgrade has them for a while, in either order.
const MODEL = 'tiny/llama';
const TOKEN = 'upgrade-relay-token-0123456789';
let redis: RedisServer;
let card: ModelCard;

beforeAll(async () => {
  redis = await RedisServer.start();
  card = (await openModelFolder('test/fixtures/models/tiny-llama')).card({ model: MODEL, contextLength: 256 });
}, 120_000);
afterAll(() => redis[Symbol.asyncDispose]());

describe('an API of this release', () => {
  let api: ProductProcess;
  beforeAll(async () => {
    api = await ProductProcess.start('api', { REDIS_URL: redis.url, MILLRACE_RELAY_TOKEN: TOKEN });
  }, 120_000);
  afterAll(() => api[Symbol.asyncDispose]());

  const ask = async (more: object = {}): Promise<string> => {
    const response = await fetch(`${api.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'Hello' }], ...more }),
    });
    const body = (await response.json()) as { choices?: [{ message: { content: string } }] };
    return body.choices?.[0].message.content ?? JSON.stringify(body);
  };
  /** Until the API has seen which workers there are. */
  const served = async (workers: number): Promise<void> => {
    for (let attempt = 0; attempt < 200; attempt += 1) {
      const response = await fetch(`${api.url}/v1/models/${encodeURIComponent(MODEL)}`, {
        headers: { authorization: `Bearer ${TEST_KEY}` },
      });
      const body = (await response.json()) as { live_workers?: number };
      if (body.live_workers === workers) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the API does not see ${workers} workers`);
  };

  it('is answered by a worker of the previous one', async () => {
    await using old = await WorkerV1.start({
      redisUrl: redis.url,
      token: TOKEN,
      card,
      texts: ['from ', 'the ', 'old'],
    });
    await served(1);
    expect(await ask()).toBe('from the old');
    expect(await ask({ response_format: { type: 'json_object' } })).toBe('from the old');
    expect(old.refused).toEqual([]);
    expect(old.jobs.map(({ version, constraint }) => [version, constraint])).toEqual([
      [1, undefined],
      [1, { type: 'json_object' }],
    ]);
  });

  it('has an answer go on with a worker of this one when one of the previous one dies, in whoever finds it in the queue', async () => {
    await using old = await WorkerV1.start({
      redisUrl: redis.url,
      token: TOKEN,
      card,
      texts: ['one ', 'two ', 'three'],
      diesBehind: 2,
    });
    await served(1);
    const answer = ask();
    while (old.jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await using _worker = await ScriptedWorker.start({
      redisUrl: redis.url,
      card,
      token: TOKEN,
      run: async (job) => {
        job.say('three');
        job.finish();
      },
    });
    expect(await answer).toBe('one two three');
    expect(old.refused).toEqual([]);
  });
});

it('a worker of this release serves an API of the previous one', async () => {
  await using replica = await RelayReplicaV1.listen();
  await using worker = await ProductProcess.start('worker', {
    REDIS_URL: redis.url,
    MILLRACE_MODEL: 'test/fixtures/models/tiny-llama',
    MILLRACE_MODEL_ID: MODEL,
    MILLRACE_WORKER_ID: 'new',
  });
  const { cardHash } = await worker.stats();
  const connection = connectRedis(redis.url, 'consumer');
  // Without these it would not know of the worker, or of its model.
  const said: unknown = JSON.parse((await connection.get(redisKeys.workerRecord('new'))) ?? 'null');
  expect(WorkerRecordV1.parse(said)).toMatchObject({ state: 'ready', models: [{ model: MODEL, cardHash }] });
  const card = brotliDecompressSync((await connection.getBuffer(redisKeys.card(cardHash))) ?? '').toString();
  expect(ModelCardV1.parse(JSON.parse(card)).model).toBe(MODEL);
  const queue = new Queue(redisKeys.queueName(MODEL), { connection, prefix: redisKeys.queuePrefix });
  const job = JobV1.parse({
    ...generateJob({ model: MODEL, cardHash, relayAddress: replica.address }),
    version: 1,
    promptTokenIds: [1, 2, 3, 4],
    stop: { tokenIds: [], strings: [], maxTokens: 8 },
  });
  await queue.add('generate', job, { jobId: 'request-1-1', priority: 1, removeOnComplete: true, removeOnFail: true });
  for (let attempt = 0; attempt < 400 && replica.finished.length === 0; attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  await queue.close();
  connection.disconnect();
  expect(replica.finished).toMatchObject([{ requestId: 'request-1', epoch: 1, completionTokens: 8 }]);
  expect(replica.deltas.flatMap((delta) => delta.tokenIds)).toHaveLength(8);
});
