import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type GenerateJob, MillraceError } from '#contracts';
import { connectRedis, JobConsumer, type JobConsumerOptions, JobRefusedError, ModelQueue, redisKeys } from '#queue';
import { generateJob } from '../support/generate-job.ts';
import { RedisServer } from '../support/redis-server.ts';

let server: RedisServer;
let redis: Redis;
let queue: ModelQueue;
const consumers: JobConsumer[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

beforeEach(async () => {
  redis = connectRedis(server.url, 'producer');
  queue = new ModelQueue({ model: 'org/model:1', redis });
  await queue.depth();
  await redis.flushall();
});
afterEach(async () => {
  await Promise.all(consumers.splice(0).map((consumer) => consumer.close(0)));
  await queue.close();
  redis.disconnect();
});

interface Started {
  readonly job: GenerateJob;
  readonly signal: AbortSignal;
  finish(): void;
}

/** A consumer whose jobs run until the test finishes them or they are aborted. */
function consume(options: Partial<Pick<JobConsumerOptions, 'concurrency' | 'lockMs' | 'bringForward'>> = {}) {
  const started: Started[] = [];
  const errors: Error[] = [];
  const consumer = new JobConsumer({
    model: 'org/model:1',
    redisUrl: server.url,
    concurrency: options.concurrency ?? 4,
    lockMs: options.lockMs ?? 30_000,
    bringForward: options.bringForward ?? (async () => null),
    onError: (error) => errors.push(error),
    run: (job, signal) =>
      new Promise((resolve) => {
        started.push({ job, signal, finish: resolve });
        signal.addEventListener('abort', () => resolve());
      }),
  });
  consumers.push(consumer);
  consumer.start();
  return { consumer, started, errors };
}

const until = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 5 });

describe('ModelQueue', () => {
  it('keeps every job in the prioritized set, so that order is by priority and then by arrival', async () => {
    await queue.add(generateJob({ requestId: 'late' }), 7);
    await queue.add(generateJob({ requestId: 'first' }));
    await queue.add(generateJob({ requestId: 'second' }));
    expect(await queue.depth()).toEqual({ waiting: 3, active: 0 });
    const { started } = consume({ concurrency: 3 });
    await until(() => expect(started).toHaveLength(3));
    expect(started.map(({ job }) => job.requestId)).toEqual(['first', 'second', 'late']);
  });

  it('puts requests that ran already before all others, in the order in which they came', async () => {
    await queue.add(generateJob({ requestId: 'waits' }));
    await queue.addFirst(generateJob({ requestId: 'lost', epoch: 2 }));
    await queue.addFirst(generateJob({ requestId: 'lost too', epoch: 2 }));
    expect(await queue.depth()).toEqual({ waiting: 3, active: 0 });
    const { started } = consume({ concurrency: 3 });
    await until(() => expect(started).toHaveLength(3));
    expect(started.map(({ job }) => job.requestId)).toEqual(['lost', 'lost too', 'waits']);
  });

  it('knows where the job of an attempt is', async () => {
    await queue.add(generateJob({ requestId: 'plain' }));
    await queue.addFirst(generateJob({ requestId: 'first', epoch: 2 }));
    expect([await queue.stateOf('plain', 1), await queue.stateOf('first', 2)]).toEqual(['queued', 'queued']);
    expect([await queue.stateOf('plain', 2), await queue.stateOf('nobody', 1)]).toEqual(['gone', 'gone']);
    expect(await queue.remove('first', 2)).toBe(true);
    const { started } = consume();
    await until(() => expect(started).toHaveLength(1));
    expect(await queue.stateOf('plain', 1)).toBe('taken');
    started[0]!.finish();
    await vi.waitFor(async () => expect(await queue.stateOf('plain', 1)).toBe('gone'));
  });

  it('puts all keys of a model under one hash tag of a versioned prefix', async () => {
    await queue.add(generateJob());
    for (const key of await redis.keys('*')) expect(key).toMatch(/^millrace:v1:queue:\{org%2Fmodel%3A1\}:/);
  });

  it('takes the same attempt of a request once', async () => {
    await queue.add(generateJob());
    await queue.add(generateJob());
    await queue.add(generateJob({ epoch: 2 }));
    expect((await queue.depth()).waiting).toBe(2);
  });

  it('removes a queued job from Redis at once, and says no for one that runs or never was', async () => {
    await queue.add(generateJob());
    expect(await queue.remove('request-1', 1)).toBe(true);
    expect(await redis.exists(`millrace:v1:queue:${redisKeys.queueName('org/model:1')}:request-1-1`)).toBe(0);
    expect(await queue.remove('request-1', 1)).toBe(false);
    await queue.add(generateJob({ requestId: 'taken' }));
    const { started } = consume();
    await until(() => expect(started).toHaveLength(1));
    expect(await queue.remove('taken', 1)).toBe(false);
  });

  it('leaves nothing of a finished job', async () => {
    await queue.add(generateJob());
    const { started } = consume();
    await until(() => expect(started).toHaveLength(1));
    started[0]!.finish();
    await vi.waitFor(async () => expect(await queue.depth()).toEqual({ waiting: 0, active: 0 }));
    expect(await redis.keys('*request-1*')).toEqual([]);
    expect(await redis.keys('*completed*')).toEqual([]);
  });

  it('fails within bounded time while Redis is away, and works again by itself', async () => {
    await using own = await RedisServer.start();
    const connection = connectRedis(own.url, 'producer');
    const producer = new ModelQueue({ model: 'm', redis: connection });
    await producer.add(generateJob());
    await own.kill();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const startMs = performance.now();
      const error = await producer.add(generateJob()).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(MillraceError);
      expect(error).toMatchObject({ code: 'unavailable' });
      expect(performance.now() - startMs).toBeLessThan(4_500);
    }
    await own.restart();
    await vi.waitFor(() => producer.add(generateJob({ requestId: 'again' })), { timeout: 5_000, interval: 50 });
    expect((await producer.depth()).waiting).toBe(1);
    await producer.close();
    connection.disconnect();
  });

  it('works once Redis comes up, when it was started without one', async () => {
    await using own = await RedisServer.start();
    await own.kill();
    const connection = connectRedis(own.url, 'producer');
    const producer = new ModelQueue({ model: 'm', redis: connection });
    await expect(producer.add(generateJob())).rejects.toMatchObject({ code: 'unavailable' });
    await own.restart();
    await vi.waitFor(() => producer.add(generateJob()), { timeout: 5_000, interval: 50 });
    await producer.close();
    connection.disconnect();
  });
});

describe('JobConsumer', () => {
  it('asks for its next job behind what is sent before, whether a job has ended or a slot was added', async () => {
    const lastFirst = `
      local last = redis.call('ZRANGE', KEYS[1], -1, -1)[1]
      if last then redis.call('ZADD', KEYS[1], 1, last) end
      return last`;
    let failing = false;
    const bringForward: JobConsumerOptions['bringForward'] = (connection) =>
      failing
        ? Promise.reject(new Error('not now'))
        : (connection.eval(lastFirst, 1, redisKeys.prioritizedJobs('org/model:1')) as Promise<string | null>);
    for (const requestId of ['a', 'b', 'c', 'd', 'e', 'f']) await queue.add(generateJob({ requestId }));
    const { consumer, started, errors } = consume({ concurrency: 1, bringForward });
    const ids = () => started.map(({ job }) => job.requestId);
    await until(() => expect(ids()).toEqual(['f']));
    started[0]!.finish();
    await until(() => expect(ids()).toEqual(['f', 'e']));
    consumer.setConcurrency(2);
    started[1]!.finish();
    await until(() => expect(ids()).toEqual(['f', 'e', 'd', 'c']));
    failing = true;
    started[2]!.finish();
    await until(() => expect(ids()).toEqual(['f', 'e', 'd', 'c', 'a']));
    expect([errors, consumer.broughtForwardTotal]).toEqual([[], 4]);
  });

  it('takes as many choices as there are slots, however they are spread over jobs', async () => {
    const { consumer, started } = consume({ concurrency: 4 });
    await until(() => expect(consumer.consuming).toBe(true));
    await queue.add(generateJob({ requestId: 'three', choices: 3 }));
    await queue.add(generateJob({ requestId: 'one' }));
    await queue.add(generateJob({ requestId: 'next' }));
    await until(() => expect(started.map(({ job }) => job.requestId)).toEqual(['three', 'one']));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(started).toHaveLength(2);
    started[0]!.finish();
    await until(() => expect(started).toHaveLength(3));
  });

  it('begins a job before Redis has said whether there is another one', async () => {
    const prototype = Worker.prototype as unknown as { moveToActive(...args: unknown[]): Promise<unknown> };
    const fetch = prototype.moveToActive;
    const asked = Promise.withResolvers<void>();
    let fetched = 0;
    const spy = vi.spyOn(prototype, 'moveToActive').mockImplementation(async function (this: unknown, ...args) {
      if (fetched > 0) await asked.promise;
      const job = await fetch.apply(this, args);
      if (job !== undefined) fetched += 1;
      return job;
    });
    const { started } = consume();
    await queue.add(generateJob({ requestId: 'only' }));
    await until(() => expect(started).toHaveLength(1));
    asked.resolve();
    spy.mockRestore();
  });

  it('asks once more behind a job that came to an idle worker, not twice, and still takes all that come together', async () => {
    const fetches = vi.spyOn(Worker.prototype as unknown as { moveToActive(): Promise<unknown> }, 'moveToActive');
    const { consumer, started } = consume({ concurrency: 8 });
    await until(() => expect(consumer.consuming).toBe(true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    fetches.mockClear();
    await queue.add(generateJob({ requestId: 'lone' }));
    await until(() => expect(started).toHaveLength(1));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(fetches).toHaveBeenCalledTimes(2);
    await Promise.all([1, 2, 3, 4, 5].map((index) => queue.add(generateJob({ requestId: `r${index}` }))));
    await until(() => expect(started).toHaveLength(6));
    fetches.mockRestore();
  });

  it('counts choices also when many jobs wait before it starts', async () => {
    for (let index = 0; index < 6; index += 1) await queue.add(generateJob({ requestId: `r${index}`, choices: 2 }));
    const { started } = consume({ concurrency: 4 });
    await until(() => expect(started).toHaveLength(2));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(started).toHaveLength(2);
    expect(await queue.depth()).toEqual({ waiting: 4, active: 2 });
  });

  it('refuses a job of another version or shape with a clear reason, and never runs it', async () => {
    const raw = new Queue(redisKeys.queueName('org/model:1'), {
      connection: connectRedis(server.url, 'consumer'),
      prefix: redisKeys.queuePrefix,
    });
    await raw.add('generate', { ...generateJob(), version: 99 }, { priority: 1, jobId: 'future' });
    await raw.add('generate', { ...generateJob(), promptTokenIds: 'none' }, { priority: 1, jobId: 'broken' });
    const { started, errors } = consume();
    await until(() => expect(errors.filter((error) => error instanceof JobRefusedError)).toHaveLength(2));
    expect(errors[0]?.message).toMatch(/its version is 99, this worker reads 1/);
    expect(errors[1]?.message).toMatch(/promptTokenIds/);
    expect(started).toEqual([]);
    expect(await queue.depth()).toEqual({ waiting: 0, active: 0 });
    (await raw.getBackend().client).disconnect();
    await raw.close();
  });

  it('takes nothing after pause, and a job added then stays for others', async () => {
    const first = consume();
    await until(() => expect(first.consumer.consuming).toBe(true));
    first.consumer.pause();
    expect(first.consumer.consuming).toBe(false);
    await queue.add(generateJob());
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(first.started).toEqual([]);
    const second = consume();
    await until(() => expect(second.started).toHaveLength(1));
  });

  it('lets running jobs end within the grace time and aborts the rest', async () => {
    const { consumer, started } = consume();
    await queue.add(generateJob({ requestId: 'quick' }));
    await queue.add(generateJob({ requestId: 'slow' }));
    await until(() => expect(started).toHaveLength(2));
    const closing = consumer.close(200);
    started.find(({ job }) => job.requestId === 'quick')!.finish();
    await closing;
    expect(started.find(({ job }) => job.requestId === 'quick')!.signal.aborted).toBe(false);
    expect(started.find(({ job }) => job.requestId === 'slow')!.signal.aborted).toBe(true);
    expect(await queue.depth()).toEqual({ waiting: 0, active: 0 });
  });

  it('renews locks shorter than its jobs and reports one that was taken from it', async () => {
    const { consumer, started } = consume({ lockMs: 800 });
    await queue.add(generateJob());
    await until(() => expect(started).toHaveLength(1));
    // Half a lock apart: two of them are as long as a lock lasts.
    await until(() => expect(consumer.lockRenewals).toBeGreaterThan(2));
    expect(consumer.lockLosses).toBe(0);
    await redis.del(`millrace:v1:queue:${redisKeys.queueName('org/model:1')}:request-1-1:lock`);
    await until(() => expect(consumer.lockLosses).toBeGreaterThan(0));
  });

  it('gives the job of a vanished worker to another one', async () => {
    await queue.add(generateJob());
    const script = `
      import { JobConsumer } from '#queue';
      new JobConsumer({ model: 'org/model:1', redisUrl: '${server.url}', concurrency: 1, lockMs: 300,
        run: () => { process.kill(process.pid, 'SIGKILL'); return new Promise(() => {}); } }).start();`;
    const { spawnSync } = await import('node:child_process');
    const ended = spawnSync(process.execPath, ['--conditions=millrace-source', '--input-type=module', '-e', script]);
    expect(ended.signal).toBe('SIGKILL');
    const { consumer, started } = consume({ lockMs: 300 });
    await until(() => expect(started).toHaveLength(1));
    expect(consumer.stalledJobs).toBe(1);
  });

  it('knows while Redis is away that it takes no jobs, and goes on when Redis is back', async () => {
    await using own = await RedisServer.start({ append: true });
    const taken: string[] = [];
    const consumer = new JobConsumer({
      model: 'm',
      redisUrl: own.url,
      concurrency: 2,
      lockMs: 30_000,
      run: async (job) => {
        taken.push(job.requestId);
      },
    });
    consumer.start();
    await until(() => expect(consumer.consuming).toBe(true));
    await own.kill();
    await until(() => expect(consumer.consuming).toBe(false));
    await own.restart();
    const connection = connectRedis(own.url, 'producer');
    const producer = new ModelQueue({ model: 'm', redis: connection });
    await producer.add(generateJob({ requestId: 'after' }));
    await until(() => expect(taken).toEqual(['after']));
    await until(() => expect(consumer.consuming).toBe(true));
    await own.kill();
    const startMs = performance.now();
    await consumer.close(100);
    expect(performance.now() - startMs).toBeLessThan(5_000);
    await producer.close();
    connection.disconnect();
  });
});
