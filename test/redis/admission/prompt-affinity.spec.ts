import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModelPlaces, type PriorityClass, PromptAffinity, UNIT_TOKENS } from '#admission';
import { ModelQueue, redisKeys } from '#queue';
import { generateJob } from '../../support/generate-job.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { redisOfTests } from '../../support/redis-of-tests.ts';
import { SimulatedService } from '../../support/simulated-service.ts';

const { redis } = await redisOfTests();
let models = 0;

interface Sent {
  readonly requestId: string;
  readonly tenantId?: string;
  readonly costTokens?: number;
  readonly priorityClass?: PriorityClass;
  /** Workers that have computed its prompt. */
  readonly at?: readonly string[];
}

/** One model's queue with real scripts and a real BullMQ queue, from which workers take one request at a time. */
class Line implements AsyncDisposable {
  readonly model: string;
  readonly places: ModelPlaces;
  readonly affinity: PromptAffinity;
  readonly queue: ModelQueue;
  readonly service: SimulatedService;

  constructor() {
    models += 1;
    this.model = `model ${models}`;
    this.places = new ModelPlaces(redis, this.model, new ManualClock());
    this.affinity = new PromptAffinity(redis, this.model);
    this.queue = new ModelQueue({ model: this.model, redis });
    this.service = new SimulatedService(redis, this.model);
  }

  async take({ requestId, tenantId = 'own', costTokens = 200, priorityClass = 'normal' }: Sent): Promise<number> {
    const place = await this.places.take({
      ...{ requestId, tenantId, costTokens, priorityClass },
      ...{ places: 1_000, placesOfTenant: 1_000, mostJobs: 2_000, slots: 1, weight: 1 },
      ...{ leaseMs: 60_000, longestWaitMs: null, refusedBefore: null },
    });
    return place.priority;
  }

  async send(sent: Sent): Promise<void> {
    const { requestId, tenantId = 'own', at = [] } = sent;
    const priority = await this.take(sent);
    await this.queue.add(generateJob({ model: this.model, requestId, tenantId }), priority);
    if (at.length > 0) await this.affinity.note(requestId, at);
  }

  /** What a worker takes that has a free slot. */
  async serve(workerId: string): Promise<string | null> {
    await this.affinity.bringForward(workerId, redis);
    const job = await this.service.next();
    if (job === null) return null;
    await this.places.start(job.requestId, job.tenantId);
    return job.requestId;
  }

  /** @param workers who has a free slot, one after the other */
  async serveAll(workers: readonly string[]): Promise<string[]> {
    const served: string[] = [];
    for (;;) {
      const requestId = await this.serve(workers[served.length % workers.length]!);
      if (requestId === null) return served;
      served.push(requestId);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]();
    await this.queue.close();
  }
}

/** Requests a, b, c… of one tenant; the workers that know each. */
const ofOne = (...at: readonly (readonly string[])[]): Sent[] =>
  at.map((workers, index) => ({ requestId: String.fromCharCode(97 + index), at: workers }));

async function lineOf(sent: readonly Sent[]): Promise<Line> {
  const line = new Line();
  for (const each of sent) await line.send(each);
  return line;
}

describe('a request whose prompt a worker has computed', () => {
  it('is that worker’s next, before those of its tenant that came earlier', async () => {
    await using line = await lineOf(ofOne([], ['x'], ['y'], ['x', 'y'], ['x']));
    expect(await line.serve('y')).toBe('c');
    expect(await line.serve('x')).toBe('b');
    expect(await line.serve('z')).toBe('a');
    expect(await line.serve('y')).toBe('d');
    expect(await line.serve('x')).toBe('e');
    expect(await line.serve('x')).toBe(null);
  });

  it('is told from one of a worker with a longer name, and of one with blanks in it', async () => {
    await using line = await lineOf(ofOne([], ['worker-10', 'the other'], ['worker-1']));
    expect(await line.serve('worker-1')).toBe('c');
    expect(await line.serve('the other')).toBe('b');
    expect(await line.serve('other')).toBe('a');
  });

  it('changes nothing when the first is this worker’s as well, or nobody’s is', async () => {
    await using line = await lineOf(ofOne(['x'], ['x'], ['y']));
    const jobs = () => redis.zrange(redisKeys.prioritizedJobs(line.model), 0, -1, 'WITHSCORES');
    const before = await jobs();
    expect(await line.affinity.bringForward('x', redis)).toBe(null);
    expect(await line.affinity.bringForward('z', redis)).toBe(null);
    expect(await jobs()).toEqual(before);
    expect(await line.affinity.bringForward('y', redis)).toBe('c-1');
    expect(await jobs()).not.toEqual(before);
  });

  it('is chosen from sixteen, and passes no request that eight have passed', async () => {
    const blocks = (count: number, from = 0) =>
      Array.from({ length: count }, (_, index) => ({ requestId: `plain-${from + index}` }));
    await using far = await lineOf([...blocks(16), { requestId: 'known', at: ['x'] }]);
    expect(await far.serve('x')).toBe('plain-0');
    expect(await far.serve('x')).toBe('known');
    await using fed = await lineOf(blocks(2));
    for (let index = 0; index < 12; index += 1) await fed.send({ requestId: `known-${index}`, at: ['x'] });
    const order = await fed.serveAll(['x']);
    expect(order.slice(0, 8)).toEqual(Array.from({ length: 8 }, (_, index) => `known-${index}`));
    expect(order.slice(8, 10)).toEqual(['plain-0', 'plain-1']);
    expect(order.slice(10)).toEqual(Array.from({ length: 4 }, (_, index) => `known-${8 + index}`));
  });

  it('stays behind requests of a higher class', async () => {
    await using line = await lineOf([
      { requestId: 'normal' },
      { requestId: 'low', priorityClass: 'low', at: ['x'] },
      { requestId: 'also-low', priorityClass: 'low', at: ['y'] },
    ]);
    expect([await line.serve('x'), await line.serve('y'), await line.serve('y')]).toEqual([
      'normal',
      'also-low',
      'low',
    ]);
  });

  it('goes before none of another tenant, whose turn is theirs', async () => {
    await using line = await lineOf([
      { requestId: 'a1', tenantId: 'a' },
      { requestId: 'b1', tenantId: 'b', at: ['x'] },
      { requestId: 'a2', tenantId: 'a', at: ['x'] },
      { requestId: 'b2', tenantId: 'b' },
    ]);
    expect(await line.serveAll(['x'])).toEqual(['a2', 'b1', 'a1', 'b2']);
  });

  it('is left where it is while a job waits that goes first', async () => {
    await using line = await lineOf(ofOne([], ['x']));
    await line.queue.addFirst(generateJob({ model: line.model, requestId: 'lost', epoch: 2 }));
    expect(await line.affinity.bringForward('x', redis)).toBe(null);
    expect(await line.serveAll(['x'])).toEqual(['lost', 'b', 'a']);
  });

  it('waits for those that are only on their way into the queue, or out of it', async () => {
    await using line = new Line();
    await line.take({ requestId: 'a' });
    await line.send({ requestId: 'b' });
    const priority = await line.take({ requestId: 'c' });
    await line.send({ requestId: 'd', at: ['x'] });
    // Of `a` it can not be told whether it was taken; `c` may be queued at any moment, with the priority that it was given.
    expect(await line.affinity.bringForward('x', redis)).toBe(null);
    await line.queue.add(generateJob({ model: line.model, requestId: 'c', tenantId: 'own' }), priority);
    expect(await line.serveAll(['x'])).toEqual(['d', 'b', 'c']);
  });

  it('is found behind any number that workers have taken and replicas have not told of', async () => {
    await using line = new Line();
    for (let index = 0; index < 40; index += 1) await line.send({ requestId: `taken-${index}` });
    for (let index = 0; index < 40; index += 1) await line.service.next();
    for (const sent of ofOne([], [], ['x'])) await line.send(sent);
    expect(await line.serveAll(['x'])).toEqual(['c', 'a', 'b']);
  });

  it('keeps its tenant’s tags where they were, one that was passed as often as may be among them', async () => {
    await using line = await lineOf(ofOne(['z'], ['x'], ['x'], ['x'], ['x'], ['x'], ['x'], ['x'], ['x'], ['y'], []));
    const tags = async () => (await redis.hvals(redisKeys.startTags(line.model))).map(Number).sort((a, b) => a - b);
    for (let time = 0; time < 7; time += 1) expect(await line.serve('x')).not.toBe('a');
    const before = await tags();
    // Passed for the eighth time, and again it may not be.
    expect(await line.affinity.bringForward('y', redis)).toBe('j-1');
    expect(await tags()).toEqual(before);
    // It may pass others itself.
    expect(await line.affinity.bringForward('z', redis)).toBe('a-1');
    expect(await tags()).toEqual(before);
    expect(await line.serveAll(['x'])).toEqual(['a', 'i', 'j', 'k']);
  });

  it('leaves nothing behind, whether it is served, leaves, or never stood in line', async () => {
    await using line = await lineOf(ofOne([], ['x'], ['x'], ['x']));
    await line.serve('x');
    await line.places.leave({ requestId: 'a', tenantId: 'own', costTokens: 200, weight: 1 });
    await line.affinity.note('nobody', ['x']);
    await line.queue.remove('a', 1);
    expect(await line.serveAll(['x'])).toEqual(['c', 'd']);
    expect(await redis.hgetall(redisKeys.waiters(line.model))).toEqual({});
  });
});

const WORKERS = ['x', 'y', 'z'];
const someRequests = (costTokens: fc.Arbitrary<number>) =>
  fc.array(
    fc.record({
      tenantId: fc.constantFrom('a', 'b', 'c'),
      costTokens,
      at: fc.subarray(WORKERS),
      serveBehind: fc.option(fc.constantFrom(...WORKERS), { nil: null, freq: 2 }),
    }),
    { minLength: 2, maxLength: 24 },
  );
type Requests = readonly { tenantId: string; costTokens: number; at: string[]; serveBehind: string | null }[];

/** @returns what was served, by the requests' numbers, in order */
async function course(requests: Requests, known: boolean): Promise<number[]> {
  await using line = new Line();
  const served: number[] = [];
  for (const [index, { serveBehind, at, ...request }] of requests.entries()) {
    await line.send({ ...request, requestId: String(index), at: known ? at : [] });
    const next = serveBehind === null ? null : await line.serve(serveBehind);
    if (next !== null) served.push(Number(next));
  }
  served.push(...(await line.serveAll(WORKERS)).map(Number));
  return served;
}

describe('bringing requests forward', () => {
  it('never changes whose turn it is', async () => {
    await fc.assert(
      fc.asyncProperty(someRequests(fc.constant(10 * UNIT_TOKENS)), async (requests) => {
        const [with_, without] = [await course(requests, true), await course(requests, false)];
        expect(with_.toSorted((a, b) => a - b)).toEqual(requests.map((_, index) => index));
        const tenants = (order: readonly number[]) => order.map((index) => requests[index]!.tenantId);
        expect(tenants(with_)).toEqual(tenants(without));
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  it('has no request passed by more than eight, and keeps the bound of fair queueing between tenants', async () => {
    await fc.assert(
      fc.asyncProperty(someRequests(fc.integer({ min: UNIT_TOKENS, max: 3_000 })), async (requests) => {
        // All wait before the first is served, so each tenant has work until its last.
        const waiting = requests.map((request) => ({ ...request, serveBehind: null }));
        const order = await course(waiting, true);
        const left = new Map<string, number>();
        for (const { tenantId } of waiting) left.set(tenantId, (left.get(tenantId) ?? 0) + 1);
        const served = new Map([...left.keys()].map((tenantId) => [tenantId, 0]));
        const largest = Math.max(...waiting.map(({ costTokens }) => costTokens));
        for (const index of order) {
          const { tenantId, costTokens } = waiting[index]!;
          served.set(tenantId, served.get(tenantId)! + costTokens);
          left.set(tenantId, left.get(tenantId)! - 1);
          const backlogged = [...left].filter(([, count]) => count > 0).map(([id]) => served.get(id)!);
          if (backlogged.length < 2) continue;
          const spread = Math.max(...backlogged) - Math.min(...backlogged);
          expect(spread).toBeLessThanOrEqual(2 * largest + 4 * UNIT_TOKENS);
        }
        for (const [index, { tenantId }] of waiting.entries()) {
          const own = order.filter((each) => waiting[each]!.tenantId === tenantId);
          const passedBy = own.slice(0, own.indexOf(index)).filter((each) => each > index);
          expect(passedBy.length).toBeLessThanOrEqual(8);
        }
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
