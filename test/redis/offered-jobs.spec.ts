import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { GenerateJob } from '#contracts';
import { connectRedis, JobConsumer, type JobConsumerOptions, JobRefusedError, ModelQueue } from '#queue';
import { generateJob } from '../support/generate-job.ts';
import { RedisServer } from '../support/redis-server.ts';

/** Less than the two seconds after which an idle consumer looks by itself. */
const AT_ONCE_MS = 1_500;

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
  readonly requestId: string;
  readonly signal: AbortSignal;
  finish(): void;
  fail(error: Error): void;
}

/** A consumer whose jobs run until the test ends them or they are aborted. */
function consumerOf(concurrency: number, express: JobConsumerOptions['express'] = null) {
  const started: Started[] = [];
  const errors: Error[] = [];
  const consumer = new JobConsumer({
    model: 'org/model:1',
    redisUrl: server.url,
    concurrency,
    express,
    lockMs: 30_000,
    onError: (error) => errors.push(error),
    run: ({ requestId }, signal) =>
      new Promise((resolve, reject) => {
        started.push({ requestId, signal, finish: resolve, fail: reject });
        signal.addEventListener('abort', () => resolve());
      }),
  });
  consumers.push(consumer);
  const of = (requestId: string) => started.find((one) => one.requestId === requestId) as Started;
  return { consumer, started, errors, of, ids: () => started.map(({ requestId }) => requestId) };
}

/** One that has asked for work and waits for it. */
async function consume(concurrency: number, express: JobConsumerOptions['express'] = null) {
  const parts = consumerOf(concurrency, express);
  parts.consumer.start();
  await until(() => expect(parts.consumer.consuming).toBe(true));
  return parts;
}

const textOf = (job: Partial<GenerateJob>) => JSON.stringify(generateJob(job));
const until = (check: () => void, timeout = 10_000) => vi.waitFor(check, { timeout, interval: 5 });

describe('a job that is offered to a consumer', () => {
  it('runs at once without the queue, and takes a slot for each of its choices', async () => {
    const { consumer, started, ids, of } = await consume(4);
    expect(consumer.takeOffered(textOf({ requestId: 'offered', choices: 2 }))).toBe(true);
    expect(ids()).toEqual(['offered']);
    expect([consumer.activeJobs, consumer.offeredTotal]).toEqual([1, 1]);
    for (const requestId of ['a', 'b', 'c']) await queue.add(generateJob({ requestId }));
    await until(() => expect(ids()).toEqual(['offered', 'a', 'b']));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(started).toHaveLength(3);
    expect(await queue.depth()).toEqual({ waiting: 1, active: 2 });
    of('offered').finish();
    await until(() => expect(ids()).toEqual(['offered', 'a', 'b', 'c']));
    expect([consumer.activeJobs, consumer.offeredTotal]).toEqual([3, 1]);
  });

  it('is declined when all slots but one are held, and that one takes a job of the queue at once', async () => {
    const { consumer, ids } = await consume(3);
    expect(consumer.takeOffered(textOf({ requestId: 'first' }))).toBe(true);
    expect(consumer.takeOffered(textOf({ requestId: 'second' }))).toBe(true);
    expect(consumer.takeOffered(textOf({ requestId: 'third' }))).toBe(false);
    expect(ids()).toEqual(['first', 'second']);
    await queue.add(generateJob({ requestId: 'queued' }));
    await until(() => expect(ids()).toEqual(['first', 'second', 'queued']), AT_ONCE_MS);
    expect(consumer.takeOffered(textOf({ requestId: 'fourth' }))).toBe(false);
    expect(consumer.offeredTotal).toBe(2);
  });

  it('leaves its slot to a job that waits for it in the queue, at once', async () => {
    const { consumer, ids, of } = await consume(2);
    expect(consumer.takeOffered(textOf({ requestId: 'offered' }))).toBe(true);
    await queue.add(generateJob({ requestId: 'long' }));
    await queue.add(generateJob({ requestId: 'waits' }));
    await until(() => expect(ids()).toEqual(['offered', 'long']));
    await new Promise((resolve) => setTimeout(resolve, 100));
    of('offered').finish();
    await until(() => expect(ids()).toEqual(['offered', 'long', 'waits']), AT_ONCE_MS);
  });

  it('leaves an idle consumer as it was, however many come and go', async () => {
    const { consumer, ids, of } = await consume(2);
    for (let index = 0; index < 50; index += 1) {
      expect(consumer.takeOffered(textOf({ requestId: `offered-${index}` }))).toBe(true);
      of(`offered-${index}`).finish();
      await until(() => expect(consumer.activeJobs).toBe(0));
    }
    for (const requestId of ['a', 'b', 'c']) await queue.add(generateJob({ requestId }));
    await until(() => expect(ids().slice(50)).toEqual(['a', 'b']), AT_ONCE_MS);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await queue.depth()).toEqual({ waiting: 1, active: 2 });
  });

  it('runs once when it was queued as well, and leaves the queue when it ends', async () => {
    const { consumer, ids, of } = await consume(3);
    const job = generateJob({ requestId: 'twice' });
    expect(consumer.takeOffered(JSON.stringify(job))).toBe(true);
    await queue.add(job);
    await vi.waitFor(async () => expect(await queue.depth()).toEqual({ waiting: 0, active: 1 }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(ids()).toEqual(['twice']);
    // It has one slot, not two.
    expect(consumer.takeOffered(textOf({ requestId: 'another' }))).toBe(true);
    expect(await queue.depth()).toEqual({ waiting: 0, active: 1 });
    of('twice').finish();
    await vi.waitFor(async () => expect(await queue.depth()).toEqual({ waiting: 0, active: 0 }));
    expect(await redis.keys('*twice*')).toEqual([]);
    expect(ids()).toEqual(['twice', 'another']);
  });

  it('is declined when it runs here already, from the queue or offered before', async () => {
    const { consumer, ids } = await consume(4);
    await queue.add(generateJob({ requestId: 'queued' }));
    await until(() => expect(ids()).toEqual(['queued']));
    expect(consumer.takeOffered(textOf({ requestId: 'queued' }))).toBe(false);
    expect(consumer.takeOffered(textOf({ requestId: 'offered' }))).toBe(true);
    expect(consumer.takeOffered(textOf({ requestId: 'offered' }))).toBe(false);
    expect(ids()).toEqual(['queued', 'offered']);
  });

  it('is declined by a consumer that was not started, is paused or closed', async () => {
    const { consumer, started, errors } = consumerOf(4);
    expect(consumer.takeOffered(textOf({}))).toBe(false);
    consumer.start();
    expect(consumer.takeOffered(textOf({ requestId: 'runs' }))).toBe(true);
    consumer.pause();
    expect(consumer.takeOffered(textOf({}))).toBe(false);
    started[0]?.finish();
    await consumer.close(5_000);
    expect(consumer.takeOffered(textOf({}))).toBe(false);
    expect([started.length, consumer.offeredTotal, errors]).toEqual([1, 1, []]);
  });

  it('is given the grace time of a consumer that closes, and is aborted after it', async () => {
    const { consumer, of } = await consume(4);
    for (const requestId of ['quick', 'slow']) expect(consumer.takeOffered(textOf({ requestId }))).toBe(true);
    let closed = false;
    const closing = consumer.close(1_000).then(() => {
      closed = true;
    });
    of('quick').finish();
    await until(() => expect(consumer.activeJobs).toBe(1));
    expect([closed, of('slow').signal.aborted]).toEqual([false, false]);
    await closing;
    expect([of('quick').signal.aborted, of('slow').signal.aborted]).toEqual([false, true]);
    expect(consumer.activeJobs).toBe(0);
  });

  it('is waited for by a consumer that closes', async () => {
    const { consumer, of } = await consume(4);
    expect(consumer.takeOffered(textOf({ requestId: 'offered' }))).toBe(true);
    let closed = false;
    const closing = consumer.close(60_000).then(() => {
      closed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(closed).toBe(false);
    of('offered').finish();
    await closing;
    expect(of('offered').signal.aborted).toBe(false);
  });

  it('is declined and reported when it is none that this worker reads', async () => {
    const { consumer, started, errors } = await consume(4);
    expect(consumer.takeOffered('{"version":')).toBe(false);
    expect(errors).toHaveLength(1);
    expect(consumer.takeOffered('null')).toBe(false);
    expect(consumer.takeOffered(JSON.stringify({ ...generateJob(), version: 99 }))).toBe(false);
    expect(consumer.takeOffered(JSON.stringify({ ...generateJob(), promptTokenIds: 'none' }))).toBe(false);
    expect(errors.slice(1).every((error) => error instanceof JobRefusedError)).toBe(true);
    expect(errors.slice(2).map(({ message }) => message)).toEqual([
      expect.stringMatching(/that was offered.*its version is 99/),
      expect.stringMatching(/that was offered.*promptTokenIds/),
    ]);
    expect([started, consumer.offeredTotal, consumer.activeJobs]).toEqual([[], 0, 0]);
  });

  describe('for a seat that its tenant is due', () => {
    /** Nobody is summoned: what comes is what the test offers. */
    const source = { summon: async () => null, watch: () => ({ [Symbol.dispose]: () => {} }) };
    const flood = (requestId: string) => queue.add(generateJob({ requestId, tenantId: 'flood' }));
    const light = (requestId: string, job: Partial<GenerateJob> = {}) =>
      textOf({ requestId, tenantId: 'light', ...job });

    it('runs although another tenant holds all slots, as long as its own has less than its share', async () => {
      const { consumer, ids, of } = await consume(2, { source, places: 3 });
      for (const requestId of ['f1', 'f2', 'f3']) await flood(requestId);
      await until(() => expect(ids()).toEqual(['f1', 'f2']));
      expect(consumer.takeOffered(light('of a free slot'))).toBe(false);
      expect(consumer.takeOffered(textOf({ requestId: 'f4', tenantId: 'flood' }), true)).toBe(false);
      expect(consumer.takeOffered(light('due'), true)).toBe(true);
      expect(consumer.takeOffered(light('has its share'), true)).toBe(false);
      expect([consumer.offeredTotal, consumer.expressTotal, consumer.activeJobs]).toEqual([1, 1, 3]);
      // The slot that comes free is the one that it has taken already.
      of('f1').finish();
      await until(() => expect(consumer.activeJobs).toBe(2));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(await queue.depth()).toEqual({ waiting: 1, active: 1 });
      of('due').finish();
      await until(() => expect(ids()).toEqual(['f1', 'f2', 'due', 'f3']), AT_ONCE_MS);
    });

    it('is declined with a free slot too when its tenant has its share, since others wait', async () => {
      const { consumer, ids } = await consume(4, { source, places: 3 });
      await flood('f1');
      await until(() => expect(ids()).toEqual(['f1']));
      expect(consumer.takeOffered(light('l1', { choices: 2 }), true)).toBe(true);
      expect(consumer.takeOffered(light('l2'), true)).toBe(true);
      expect([consumer.offeredTotal, consumer.expressTotal]).toEqual([2, 0]);
      expect(consumer.takeOffered(light('l3'), true)).toBe(false);
    });

    it('leaves a place to those that are summoned, and is declined where nothing can be parked', async () => {
      const few = await consume(2, { source, places: 1 });
      for (const requestId of ['f1', 'f2']) await flood(requestId);
      await until(() => expect(few.ids()).toEqual(['f1', 'f2']));
      expect(few.consumer.takeOffered(light('due'), true)).toBe(false);
      const none = await consume(2);
      expect(none.consumer.takeOffered(light('due'), true)).toBe(false);
      expect(none.consumer.takeOffered(light('free'))).toBe(true);
    });
  });

  it('that fails is reported, and its slot is free again', async () => {
    const { consumer, started, errors } = await consume(2);
    expect(consumer.takeOffered(textOf({ requestId: 'fails' }))).toBe(true);
    expect(consumer.takeOffered(textOf({ requestId: 'next' }))).toBe(false);
    started[0]?.fail(new Error('it broke'));
    await until(() => expect(errors.map(({ message }) => message)).toEqual(['it broke']));
    expect(consumer.takeOffered(textOf({ requestId: 'next' }))).toBe(true);
  });
});
