import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HIGHEST_PRIORITY, ModelPlaces, type PlaceHolder, UNIT_TOKENS } from '#admission';
import { ModelQueue, redisKeys } from '#queue';
import { generateJob } from '../../support/generate-job.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { redisOfTests } from '../../support/redis-of-tests.ts';
import { SimulatedService } from '../../support/simulated-service.ts';

const { redis } = await redisOfTests();
let runs = 0;

/** One model with real scripts and a real BullMQ queue, and service in order of BullMQ's choice. */
class Cluster implements AsyncDisposable {
  readonly places: ModelPlaces;
  readonly queue: ModelQueue;
  readonly service: SimulatedService;
  readonly holders = new Map<string, PlaceHolder>();
  #count = 0;

  constructor() {
    runs += 1;
    const model = `model-${runs}`;
    this.places = new ModelPlaces(redis, model, new ManualClock());
    this.queue = new ModelQueue({ model, redis });
    this.service = new SimulatedService(redis, model);
  }

  async tag(tenantId: string, costTokens: number, weight: number) {
    this.#count += 1;
    const holder = { requestId: `${tenantId}-${this.#count}`, tenantId, costTokens, weight };
    const place = await this.places.take({
      ...holder,
      places: 100_000,
      placesOfTenant: 100_000,
      mostJobs: 200_000,
      slots: 1,
      leaseMs: 60_000,
      longestWaitMs: null,
      refusedBefore: null,
    });
    this.holders.set(holder.requestId, holder);
    return { holder, place };
  }

  async submit(tenantId: string, costTokens: number, weight: number): Promise<string> {
    const { holder, place } = await this.tag(tenantId, costTokens, weight);
    await this.queue.add(this.#job(holder), place.priority);
    return holder.requestId;
  }

  async addTagged(holder: PlaceHolder, priority: number): Promise<void> {
    await this.queue.add(this.#job(holder), priority);
  }

  async serveNext(places: ModelPlaces = this.places): Promise<PlaceHolder | null> {
    const job = await this.service.next();
    if (job === null) return null;
    await places.start(job.requestId, job.tenantId);
    const holder = this.holders.get(job.requestId);
    this.holders.delete(job.requestId);
    return holder ?? null;
  }

  #job(holder: PlaceHolder) {
    return generateJob({ model: this.queue.model, requestId: holder.requestId, tenantId: holder.tenantId });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]();
    await this.queue.close();
  }
}

const cost = fc.integer({ min: 1, max: 4_000 });
const weight = fc.constantFrom(0.5, 1, 2, 3, 8);

describe('fair queueing', () => {
  it('keeps the weighted service of two backlogged tenants within one request of each, plus two units', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          weights: fc.tuple(weight, weight, weight),
          costs: fc.tuple(
            fc.array(cost, { minLength: 30, maxLength: 40 }),
            fc.array(cost, { minLength: 30, maxLength: 40 }),
          ),
          // When a third tenant comes, with what, and when priorities are made anew.
          visits: fc.array(fc.record({ after: fc.nat(40), cost }), { maxLength: 8 }),
          rebases: fc.array(fc.nat(40), { maxLength: 3 }),
          batch: fc.integer({ min: 1, max: 20 }),
        }),
        async ({ weights, costs, visits, rebases, batch }) => {
          await using cluster = new Cluster();
          const tenants = ['f', 'm'] as const;
          const pending = { f: [...costs[0]], m: [...costs[1]] };
          const queued = { f: 0, m: 0 };
          const refill = async () => {
            for (const [index, tenant] of tenants.entries()) {
              while (queued[tenant] < batch && pending[tenant].length > 0) {
                await cluster.submit(tenant, pending[tenant].shift()!, weights[index]!);
                queued[tenant] += 1;
              }
            }
          };
          await refill();
          const bound = Math.max(...costs[0]) / weights[0] + Math.max(...costs[1]) / weights[1] + 2 * UNIT_TOKENS;
          let difference = 0;
          let lowest = 0;
          let highest = 0;
          for (let step = 0; queued.f > 0 && queued.m > 0; step += 1) {
            for (const visit of visits) if (visit.after === step) await cluster.submit('v', visit.cost, weights[2]);
            if (rebases.includes(step)) await cluster.places.rebase(UNIT_TOKENS);
            const served = await cluster.serveNext();
            if (served === null) throw new Error('a backlogged queue gave nothing');
            if (served.tenantId === 'v') continue;
            const share = served.costTokens / served.weight;
            difference += served.tenantId === 'f' ? share : -share;
            lowest = Math.min(lowest, difference);
            highest = Math.max(highest, difference);
            queued[served.tenantId as 'f' | 'm'] -= 1;
            await refill();
          }
          // The largest difference over any interval is the range of the running difference.
          expect(highest - lowest).toBeLessThanOrEqual(bound);
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);

  it('serves a light tenant next, however many a flooding one has queued', async () => {
    await using cluster = new Cluster();
    for (let index = 0; index < 500; index += 1) await cluster.submit('flood', 2_000, 1);
    for (let round = 0; round < 20; round += 1) {
      await cluster.serveNext();
      const light = await cluster.submit('light', 100, 1);
      expect((await cluster.serveNext())?.requestId).toBe(light);
      for (let index = 0; index < 5; index += 1) await cluster.submit('flood', 2_000, 1);
    }
  });

  it('starves nobody: a heavy request of a light weight is served in bounded time', async () => {
    await using cluster = new Cluster();
    for (let index = 0; index < 5; index += 1) await cluster.submit('busy', 100, 8);
    const heavy = await cluster.submit('heavy', 4_000, 0.5);
    const second = await cluster.submit('heavy', 100, 0.5);
    const order: string[] = [];
    for (let step = 0; step < 1_000 && !order.includes(second); step += 1) {
      order.push((await cluster.serveNext())!.requestId);
      await cluster.submit('busy', 100, 8);
    }
    expect(order.indexOf(heavy)).toBeLessThan(6);
    // 4,000 ÷ 0.5 of virtual time is 640 requests of the busy tenant.
    expect(order.indexOf(second)).toBeGreaterThan(600);
    expect(order.indexOf(second)).toBeLessThan(660);
  });

  it('does not make a tenant pay for what it used while nobody else waited', async () => {
    await using cluster = new Cluster();
    for (let index = 0; index < 50; index += 1) {
      await cluster.submit('early', 4_000, 1);
      await cluster.serveNext();
    }
    for (let index = 0; index < 3; index += 1) {
      await cluster.submit('late', 100, 1);
      await cluster.submit('early', 100, 1);
    }
    const order = [];
    for (let index = 0; index < 6; index += 1) order.push((await cluster.serveNext())!.tenantId);
    expect(order).toEqual(['late', 'early', 'late', 'early', 'late', 'early']);
  });

  it('gives back the share of a request that left the queue unserved', async () => {
    await using cluster = new Cluster();
    await cluster.submit('other', 1_000, 1);
    await cluster.submit('other', 1_000, 1);
    await cluster.serveNext();
    const gone = await cluster.submit('mover', 100_000, 1);
    const holder = cluster.holders.get(gone)!;
    await cluster.queue.remove(gone, 1);
    expect(await cluster.places.leave(holder)).toBe(true);
    expect(await cluster.places.leave(holder)).toBe(false);
    const next = await cluster.submit('mover', 100, 1);
    expect((await cluster.serveNext())?.requestId).toBe(next);
  });

  it('tags a request once, however often it is sent', async () => {
    await using cluster = new Cluster();
    await cluster.submit('f', 1_000, 1);
    const wanted = {
      requestId: 'same',
      tenantId: 'f',
      places: 10,
      placesOfTenant: 10,
      mostJobs: 10,
      slots: 1,
      costTokens: 1_000,
      weight: 1,
      leaseMs: 60_000,
      longestWaitMs: null,
      refusedBefore: null,
    };
    const first = await cluster.places.take(wanted);
    const again = await cluster.places.take(wanted);
    expect(again.startTag).toBe(first.startTag);
    expect(again.taken).toBe(2);
  });
});

describe('rebasing', () => {
  it('keeps the order of all queued jobs and starts priorities from 1 again', async () => {
    await using cluster = new Cluster();
    for (let index = 0; index < 30; index += 1) await cluster.submit(`t${index % 3}`, 300 + 7 * index, 1);
    for (let index = 0; index < 9; index += 1) await cluster.serveNext();
    const key = redisKeys.prioritizedJobs(cluster.queue.model);
    const before = await redis.zrange(key, 0, -1);
    const first = Number((await redis.zrange(key, 0, 0, 'WITHSCORES'))[1]) / 2 ** 32;
    expect(first).toBeGreaterThan(40);
    expect(await cluster.places.rebase(UNIT_TOKENS)).toBe(21);
    expect(await redis.zrange(key, 0, -1)).toEqual(before);
    expect(Number((await redis.zrange(key, 0, 0, 'WITHSCORES'))[1]) / 2 ** 32).toBeLessThan(first - 30);
    expect(await cluster.places.rebase(UNIT_TOKENS)).toBe(0);
  });

  it('puts a job right that was tagged before and queued after it', async () => {
    await using cluster = new Cluster();
    for (let index = 0; index < 20; index += 1) await cluster.submit('flood', 1_000, 1);
    for (let index = 0; index < 10; index += 1) await cluster.serveNext();
    const { holder, place } = await cluster.tag('light', 100, 1);
    await cluster.places.rebase(UNIT_TOKENS);
    await cluster.addTagged(holder, place.priority);
    await cluster.places.confirm(holder.requestId, 1);
    expect((await cluster.serveNext())?.requestId).toBe(holder.requestId);
  });

  it('comes by itself before BullMQ’s limit, with several replicas, and leaves the order fair far past it', async () => {
    await using cluster = new Cluster();
    const other = new ModelPlaces(redis, cluster.queue.model, new ManualClock());
    const key = redisKeys.prioritizedJobs(cluster.queue.model);
    const costTokens = 1_000_000;
    for (let index = 0; index < 6; index += 1) {
      await cluster.submit('f', costTokens, 1);
      await cluster.submit('m', costTokens, 2);
    }
    const served = { f: 0, m: 0 };
    let difference = 0;
    // 2^21 priorities are 33.5 million tokens; this goes to about 160.
    for (let step = 0; step < 480; step += 1) {
      const tenant = (await cluster.serveNext(step % 2 === 0 ? cluster.places : other))?.tenantId as 'f' | 'm';
      served[tenant] += 1;
      await cluster.submit(tenant, costTokens, tenant === 'f' ? 1 : 2);
      const [, highest] = await redis.zrange(key, -1, -1, 'WITHSCORES');
      expect(Number(highest) / 2 ** 32).toBeLessThan(HIGHEST_PRIORITY);
      difference = Math.max(difference, Math.abs(served.f - served.m / 2));
    }
    expect(served.f + served.m).toBe(480);
    expect(difference).toBeLessThanOrEqual(1.5);
    const virtual = Number(await redis.hget(redisKeys.fairClock(cluster.queue.model), 'virtual'));
    expect(virtual).toBeGreaterThan(4 * 2 ** 21 * UNIT_TOKENS);
  });
});
