import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { DueRequests, ModelPlaces } from '#admission';
import { Engine } from '#engine';
import { JobConsumer, ModelQueue } from '#queue';
import { HistoryModelRunner } from '../../../libs/engine/src/testing/history-model-runner.ts';
import { requestOf } from '../../../libs/engine/src/testing/requests.ts';
import { numberedTokenTable } from '../../../libs/engine/src/testing/token-tables.ts';
import { generateJob } from '../../support/generate-job.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { redisOfTests } from '../../support/redis-of-tests.ts';

const VOCABULARY = 24;
const QUANTUM_STEPS = 64;

const { server, redis } = await redisOfTests();

interface Asked {
  readonly tenantId: string;
  readonly weight: number;
  readonly tokens: number;
}

let models = 0;

/** Real scripts, a real BullMQ queue and consumer, and a real engine whose steps are the clock. */
class SteppedWorker implements AsyncDisposable {
  readonly engine: Engine;
  readonly consumer: JobConsumer;
  /** Tokens of each request so far. */
  readonly tokens = new Map<string, number>();
  readonly ended = new Set<string>();
  readonly #places: ModelPlaces;
  readonly #queue: ModelQueue;
  readonly #due: DueRequests;
  readonly #asked = new Map<string, Asked>();
  readonly #ends = new Map<string, () => void>();
  readonly #offers: boolean;
  #count = 0;

  /** @param offers requests that may be due a seat are offered to it, and queued when it declines */
  constructor(slots: number, parkingPlaces: number, offers: boolean) {
    this.#offers = offers;
    models += 1;
    const model = `model-${models}`;
    this.#places = new ModelPlaces(redis, model, new ManualClock());
    this.#queue = new ModelQueue({ model, redis });
    this.#due = new DueRequests(redis, model);
    const runner = new HistoryModelRunner({
      slots,
      parkingSlots: parkingPlaces + 1,
      slotTokens: 2_000,
      vocabularySize: VOCABULARY,
    });
    this.engine = new Engine({ runner, tokenTable: numberedTokenTable(VOCABULARY), prefillChunkTokens: 8 });
    this.engine.onStep(({ deltas, finished }) => {
      for (const { requestId } of deltas) this.tokens.set(requestId, (this.tokens.get(requestId) ?? 0) + 1);
      for (const { requestId } of finished) {
        this.ended.add(requestId);
        this.#ends.get(requestId)?.();
      }
    });
    this.consumer = new JobConsumer({
      model,
      redisUrl: server.url,
      concurrency: slots,
      express: { source: this.#due, places: parkingPlaces },
      lockMs: 30_000,
      run: async ({ requestId, tenantId }, _signal, by) => {
        const asked = this.#asked.get(requestId)!;
        await this.#places.start(requestId, tenantId, by === 'offer' ? 60_000 : 0);
        await new Promise<void>((end) => {
          this.#ends.set(requestId, end);
          const stop = { tokenIds: [], strings: [], maxTokens: asked.tokens };
          this.engine.submit(requestOf(requestId, [1, 2, 3], { tenantId, weight: asked.weight, stop }));
        });
        await this.#places.finish(requestId, 100);
      },
    });
    this.consumer.start();
  }

  async ask(asked: Asked): Promise<string> {
    this.#count += 1;
    const requestId = `${asked.tenantId}-${this.#count}`;
    this.#asked.set(requestId, asked);
    const { tenantId, weight, tokens: costTokens } = asked;
    const limits = { places: 1_000, placesOfTenant: 1_000, mostJobs: 2_000, slots: 1 };
    const holder = { requestId, tenantId, weight, costTokens };
    const rest = { leaseMs: 60_000, longestWaitMs: null, refusedBefore: null };
    const place = await this.#places.take({ ...holder, ...limits, ...rest });
    const job = generateJob({ model: this.#queue.model, requestId, tenantId, weight });
    const due = this.#offers && place.mayBeDue && place.queuedOfTenant === 0;
    if (due && this.consumer.takeOffered(JSON.stringify(job), true)) return requestId;
    await this.#queue.add(job, place.priority);
    if (place.mayBeDue) await this.#due.announce();
    return requestId;
  }

  /** One step, after the queue has had time to bring what is due. */
  async step(waitMs: number): Promise<void> {
    await sleep(waitMs);
    await this.engine.step();
  }

  /** One step, once each of these tenants has its share of requests in the engine: the time that a hand-over takes is no step. */
  async stepWith(share: Readonly<Record<string, number>>): Promise<void> {
    const missing = () =>
      Object.keys(share).filter((tenantId) => {
        const here = [...this.#ends.keys()].filter((id) => id.startsWith(tenantId) && !this.ended.has(id));
        return here.length < share[tenantId]!;
      });
    for (let look = 0; look < 3_000 && missing().length > 0; look += 1) await sleep(1);
    expect(missing()).toEqual([]);
    await this.engine.step();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.values()) end();
    await this.consumer.close(0);
    await this.#queue.close();
  }
}

describe.each([
  { how: 'through the queue', offers: false },
  { how: 'offered where they may be due', offers: true },
])('seats of requests $how', ({ offers }) => {
  it('come to a light tenant while a flood holds all of them and has hundreds waiting, again and again', async () => {
    await using worker = new SteppedWorker(4, 2, offers);
    for (let index = 0; index < 200; index += 1) await worker.ask({ tenantId: 'flood', weight: 1, tokens: 1_500 });
    for (let step = 0; step < 20; step += 1) await worker.step(2);
    expect(worker.engine.stats()).toMatchObject({ running: 4, waiting: 0 });
    for (let round = 0; round < 25; round += 1) {
      // Costs add up: in the queue's order this tenant falls behind the flood's next request.
      const light = await worker.ask({ tenantId: 'light', weight: 1, tokens: 400 });
      let steps = 0;
      for (; steps < 400 && !worker.tokens.has(light); steps += 1) await worker.step(2);
      expect(worker.tokens.has(light)).toBe(true);
      worker.engine.cancel(light, 1);
      for (let step = 0; step < 2; step += 1) await worker.step(2);
      // As long as its worker holds it, the tenant has its share there.
      await vi.waitFor(() => expect(worker.consumer.activeJobs).toBe(4), { interval: 1 });
    }
    expect(worker.consumer.expressTotal).toBeGreaterThanOrEqual(25);
    expect(worker.consumer.offeredTotal).toBe(offers ? 25 : 0);
    expect([...worker.ended].filter((requestId) => requestId.startsWith('flood'))).toEqual([]);
  }, 60_000);

  it.each([
    { slots: 3, weights: [1, 1] },
    { slots: 2, weights: [3, 1] },
    { slots: 1, weights: [1, 1] },
  ])(
    'keep weighted seat time within the bound between two backlogged tenants: %o',
    async ({ slots, weights }) => {
      await using worker = new SteppedWorker(slots, slots + 2, offers);
      const tenants = ['f', 'm'].map((tenantId, index) => ({
        tenantId,
        weight: weights[index]!,
        tokens: 150 + 60 * index,
      }));
      for (const tenant of tenants) for (let index = 0; index < 40; index += 1) await worker.ask(tenant);
      const share = Object.fromEntries(
        ['f', 'm'].map((id, index) => [id, Math.ceil((slots * weights[index]!) / (weights[0]! + weights[1]!))]),
      );
      const service = (tenantId: string) =>
        [...worker.tokens].reduce((sum, [id, tokens]) => sum + (id.startsWith(tenantId) ? tokens : 0), 0);
      for (let step = 0; step < 30; step += 1) await worker.stepWith(share);
      const bound = (2 * QUANTUM_STEPS + 4 * slots) * (1 / weights[0]! + 1 / weights[1]!);
      let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      for (let step = 0; step < 900; step += 1) {
        await worker.stepWith(share);
        const difference = service('f') / weights[0]! - service('m') / weights[1]!;
        lowest = Math.min(lowest, difference);
        highest = Math.max(highest, difference);
      }
      expect(service('f')).toBeGreaterThan(100);
      expect(service('m')).toBeGreaterThan(100);
      expect(highest - lowest).toBeLessThanOrEqual(bound);
    },
    60_000,
  );
});
