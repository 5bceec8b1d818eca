import { describe, expect, it } from 'vitest';
import { AdmissionGate, type AdmissionHandle } from '#admission';
import { redisKeys } from '#queue';
import { admissionRequest } from '../../support/admission-request.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { redisOfTests } from '../../support/redis-of-tests.ts';

const MODEL = 'org/model:1';
const SLOTS = 8;
/** 37 s of work: with it, all of a burst of 10 s can be served within the 60 s that a client can be told to wait. */
const QUEUE_PLACES = 300;
const MEAN_SERVICE_MS = 1_000;
/** Ten times what the slots can serve. */
const ARRIVALS_PER_S = (10 * SLOTS * 1_000) / MEAN_SERVICE_MS;
const BURST_S = 10;

const { redis } = await redisOfTests();
/** mulberry32: the same service times in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Slots that serve in BullMQ's order on simulated time, with BullMQ's own keys, which the estimates are made from. */
class Simulation {
  /** Whether clients say that they come back, as OpenAI's do. */
  readonly #sayRetries: boolean;
  readonly #queueShare: number;
  readonly clock = new ManualClock();
  readonly gate = new AdmissionGate({ redis, clock: this.clock, queuePlaces: QUEUE_PLACES, leaseMs: 600_000 });
  readonly #events: { atMs: number; run: () => Promise<void> }[] = [];
  readonly #queued = new Map<string, { handle: AdmissionHandle; atMs: number; waitMs: number }>();
  readonly #random = random(7);
  #active = 0;
  #jobs = 0;
  readonly firstRetries = { admitted: 0, refused: 0 };
  /** Advertised and real wait of admitted requests. */
  readonly waits: { advertisedMs: number; realMs: number }[] = [];

  constructor(options: { sayRetries: boolean; queueShare: number }) {
    this.#sayRetries = options.sayRetries;
    this.#queueShare = options.queueShare;
  }

  at(atMs: number, run: () => Promise<void>): void {
    this.#events.push({ atMs, run });
  }

  async run(): Promise<void> {
    while (this.#events.length > 0) {
      this.#events.sort((a, b) => a.atMs - b.atMs);
      const event = this.#events.shift()!;
      this.clock.advance(Math.max(0, event.atMs - this.clock.nowMs()));
      await event.run();
    }
  }

  async arrive(tenant: string, attempt: number): Promise<void> {
    const refusedBefore = this.#sayRetries ? attempt > 1 : null;
    const wanted = admissionRequest({ id: tenant, queueShare: this.#queueShare }, { slots: SLOTS, refusedBefore });
    const decision = await this.gate.decide(wanted);
    if (attempt === 2) this.firstRetries[decision.admitted ? 'admitted' : 'refused'] += 1;
    const nowMs = this.clock.nowMs();
    if (!decision.admitted) {
      expect(decision.error.code).toBe('queue_full');
      this.at(nowMs + (decision.error.retryAfterMs ?? 0), () => this.arrive(tenant, attempt + 1));
      return;
    }
    const { handle } = decision;
    this.#jobs += 1;
    this.#queued.set(handle.requestId, { handle, atMs: nowMs, waitMs: decision.waitMs });
    await redis.zadd(redisKeys.prioritizedJobs(MODEL), handle.priority * 2 ** 32 + this.#jobs, handle.requestId);
    await this.#dispatch();
  }

  async #dispatch(): Promise<void> {
    while (this.#active < SLOTS) {
      const [requestId] = await redis.zpopmin(redisKeys.prioritizedJobs(MODEL));
      if (requestId === undefined) return;
      const { handle, atMs, waitMs } = this.#queued.get(requestId)!;
      this.#active += 1;
      this.waits.push({ advertisedMs: waitMs, realMs: this.clock.nowMs() - atMs });
      await redis.lpush(redisKeys.activeJobs(MODEL), requestId);
      const started = handle.started();
      handle.delivering();
      await started;
      const serviceMs = MEAN_SERVICE_MS * (0.5 + this.#random());
      this.at(this.clock.nowMs() + Math.ceil(serviceMs), async () => {
        this.#active -= 1;
        await redis.lrem(redisKeys.activeJobs(MODEL), 1, requestId);
        await handle.settle('completed', { promptTokens: 1, cachedTokens: 0, completionTokens: 1 });
        await this.#dispatch();
      });
    }
  }
}

describe('after a burst of ten times the capacity', () => {
  it.each([
    { who: 'five tenants, whose clients say when they come back', tenants: 5, queueShare: 1, sayRetries: true },
    { who: 'five tenants, whose clients do not say so', tenants: 5, queueShare: 1, sayRetries: false },
    { who: 'one tenant, which fills its share of the queue', tenants: 1, queueShare: 0.9, sayRetries: true },
  ])(
    'clients that wait as long as they are told get in, and admitted ones wait as long as they were told: $who',
    async ({ tenants, queueShare, sayRetries }) => {
      const simulation = new Simulation({ queueShare, sayRetries });
      const startMs = simulation.clock.nowMs();
      // A cluster that has served before knows its service time.
      for (let index = 0; index < 40; index += 1) {
        simulation.at(startMs + index * 250, () => simulation.arrive('warm', 1));
      }
      const burstMs = startMs + 15_000;
      for (let index = 0; index < BURST_S * ARRIVALS_PER_S; index += 1) {
        const tenant = `tenant-${index % tenants}`;
        simulation.at(burstMs + (index * 1_000) / ARRIVALS_PER_S, () => simulation.arrive(tenant, 1));
      }
      await simulation.run();
      const { admitted, refused } = simulation.firstRetries;
      const errors = simulation.waits
        .filter(({ realMs }) => realMs > 500)
        .map(({ advertisedMs, realMs }) => Math.abs(advertisedMs - realMs) / realMs)
        .sort((a, b) => a - b);
      expect(admitted + refused).toBeGreaterThan(300);
      expect(admitted / (admitted + refused)).toBeGreaterThanOrEqual(0.9);
      expect(errors.length).toBeGreaterThan(400);
      expect(errors[errors.length >> 1]).toBeLessThanOrEqual(0.3);
      await simulation.gate[Symbol.asyncDispose]();
    },
    60_000,
  );
});
