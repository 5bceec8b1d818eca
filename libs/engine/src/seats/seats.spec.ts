import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Engine } from '../engine.ts';
import type { EngineRequest } from '../engine-request.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import { ActiveRequest } from '../sequences/active-request.ts';
import { KvBudget } from '../slots/kv-budget.ts';
import { CollectedAnswers } from '../testing/collected-answers.ts';
import { HistoryModelRunner } from '../testing/history-model-runner.ts';
import { requestOf } from '../testing/requests.ts';
import { numberedTokenTable } from '../testing/token-tables.ts';
import { TokenTexts } from '../text/token-texts.ts';
import { SEAT_QUANTUM_STEPS, SeatShares } from './seat-shares.ts';

const VOCABULARY = 24;
const SLOT_TOKENS = 20_000;

function engineOf(slots: number, parkingSlots: number) {
  const runner = new HistoryModelRunner({ slots, parkingSlots, slotTokens: SLOT_TOKENS, vocabularySize: VOCABULARY });
  const engine = new Engine({ runner, tokenTable: numberedTokenTable(VOCABULARY), prefillChunkTokens: 8 });
  return { runner, engine, collected: new CollectedAnswers(engine) };
}

let requests = 0;
function from(tenantId: string, maxTokens: number, changes: Partial<EngineRequest> = {}): EngineRequest {
  requests += 1;
  return requestOf(`${tenantId}-${requests}`, [1, 2, 3, 4], {
    tenantId,
    stop: { tokenIds: [], strings: [], maxTokens },
    ...changes,
  });
}

/** Steps until the request's first token. */
async function stepsToFirstToken(engine: Engine, collected: CollectedAnswers, request: EngineRequest): Promise<number> {
  engine.submit(request);
  for (let step = 1; step < 1_000; step += 1) {
    await engine.step();
    if (collected.answer(request.requestId).tokenIds.length > 0) return step;
  }
  throw new Error(`${request.requestId} got no token`);
}

/** A scheduler whose runs take no model: seats are what is looked at. */
class Seating {
  readonly scheduler: Scheduler;
  readonly #texts = new TokenTexts(numberedTokenTable(VOCABULARY));
  /** Requests in the scheduler, by tenant. */
  readonly open = new Map<string, number>();
  /** What each run was. */
  readonly chunks: string[] = [];

  constructor(slots: number, parkingSlots: number, prefillChunkTokens = 8) {
    this.scheduler = new Scheduler({
      slots,
      parkingSlots,
      prefillChunkTokens,
      decodeStretch: 3,
      budget: new KvBudget(Number.POSITIVE_INFINITY, SLOT_TOKENS),
      copySlot: () => {},
      moveSlot: () => {},
      loadPrefix: () => {},
    });
  }

  submit(request: EngineRequest): void {
    const tenantId = request.tenantId ?? '';
    this.open.set(tenantId, (this.open.get(tenantId) ?? 0) + 1);
    this.scheduler.add(new ActiveRequest(request, new HistoryModelRunner({ slotTokens: SLOT_TOKENS }), this.#texts, 0));
  }

  /** One run. @returns seats of each tenant during it */
  step(): Map<string, number> {
    const work = this.scheduler.schedule();
    if (work.kind === 'prefill') this.chunks.push(`${work.sequence.request.input.tenantId} ${work.chunkTokens}`);
    else this.chunks.push(work.kind);
    const { rows, prefilling } = this.scheduler.seating.slots;
    const seats = new Map<string, number>();
    for (const { request } of prefilling === null ? rows : [...rows, prefilling]) {
      const tenantId = request.input.tenantId ?? '';
      seats.set(tenantId, (seats.get(tenantId) ?? 0) + 1);
    }
    const gotToken = work.kind === 'decode' ? [...work.rows] : [];
    for (const row of gotToken) row.computedTokens += 1;
    if (work.kind === 'prefill') {
      work.sequence.computedTokens += work.chunkTokens;
      if (!work.sequence.prefilling) {
        this.scheduler.promotePrefill();
        gotToken.push(work.sequence);
      }
    }
    for (const sequence of gotToken.reverse()) {
      sequence.completionTokens += 1;
      if (sequence.completionTokens < sequence.request.maxTokens) continue;
      const tenantId = sequence.request.input.tenantId ?? '';
      this.scheduler.finish(sequence);
      this.open.set(tenantId, (this.open.get(tenantId) ?? 0) - 1);
    }
    return seats;
  }
}

describe('seats', () => {
  it('go to a tenant without one within two steps, however many another holds and wants', async () => {
    const { engine, collected } = engineOf(4, 3);
    for (let index = 0; index < 100; index += 1) engine.submit(from('flood', 5_000));
    for (let step = 0; step < 40; step += 1) await engine.step();
    for (let round = 0; round < 30; round += 1) {
      const light = from('light', 5);
      expect(await stepsToFirstToken(engine, collected, light)).toBeLessThanOrEqual(2);
      while (collected.answer(light.requestId).finish === null) await engine.step();
      await engine.step();
      expect(engine.stats()).toMatchObject({ running: 4, parked: 0 });
    }
    expect(engine.stats().parksTotal).toBe(30);
  });

  it('are taken from a prompt in the middle of being computed, which goes on where it was', async () => {
    const { engine, collected, runner } = engineOf(1, 2);
    const long = requestOf(
      'long',
      Array.from({ length: 60 }, (_, token) => token % VOCABULARY),
      { tenantId: 'flood' },
    );
    engine.submit(long);
    for (let step = 0; step < 3; step += 1) await engine.step();
    expect(await stepsToFirstToken(engine, collected, from('light', 3))).toBe(1);
    await engine.runUntilIdle();
    const alone = engineOf(1, 0);
    alone.engine.submit(long);
    await alone.engine.runUntilIdle();
    expect(collected.answer('long')).toEqual(alone.collected.answer('long'));
    const computed = runner.log
      .filter((line) => line.startsWith('prefill'))
      .map((line) => Number(/tokens=(\d+)/.exec(line)?.[1]));
    expect(computed.reduce((sum, tokens) => sum + tokens, 0)).toBe(64);
  });

  it('come with the time for a whole prompt that lasts two decode runs, and longer ones are computed at the pace of runs that vary', () => {
    const seating = new Seating(4, 4, 128);
    const { pace } = seating.scheduler;
    for (let run = 0; run < 60; run += 1) pace.prefilled(8 * (1 + (run % 4)), 0, 8 * (1 + (run % 4)));
    const prompt = (tokens: number) => ({ promptTokenIds: new Int32Array(tokens).fill(1) });
    for (let index = 0; index < 8; index += 1) seating.submit(from('flood', 3 + 10 * index, prompt(10)));
    for (let step = 0; step < 20; step += 1) {
      pace.decoded(20);
      seating.step();
    }
    seating.chunks.length = 0;
    // 20 ms × (3 − 1) × 0.75 = 30 ms, in which others compute 28 tokens; to end a prompt of who is due a seat 2 × 20 ms.
    seating.submit(from('light', 2, prompt(34)));
    seating.submit(from('second', 2, prompt(80)));
    for (let step = 0; step < 8; step += 1) seating.step();
    const chunks = ['light 34', 'decode', 'second 28', 'decode', 'second 28', 'decode', 'second 24', 'decode'];
    expect(seating.chunks).toEqual(chunks);
  });

  it('are taken from the newest sequence, and come back to the oldest', async () => {
    const { engine, collected } = engineOf(2, 3);
    const [first, second, third] = [from('a', 30), from('a', 30), from('a', 30)] as const;
    for (const request of [first, second, third]) engine.submit(request);
    for (let step = 0; step < 10; step += 1) await engine.step();
    engine.submit(from('b', 4));
    await engine.runUntilIdle();
    const ends = collected.outputs.flatMap(({ finished }) => finished.map(({ requestId }) => requestId));
    expect(ends.slice(1)).toEqual([first, second, third].map(({ requestId }) => requestId));
  });

  it('are owed across a moment in which the engine is empty, but not for long, and not for time alone', () => {
    let nowMs = 0;
    const shares = new SeatShares(SEAT_QUANTUM_STEPS, () => nowMs);
    const enter = () => ['a', 'b'].map((tenantId) => shares.enter(tenantId, 1, 1));
    const leave = () => {
      for (const share of both) share.seats = 0;
      for (const share of both) shares.leave(share);
    };
    const run = (steps: number) => {
      for (let step = 0; step < steps; step += 1) shares.charge();
    };
    const alone = shares.enter('a', 1, 1);
    alone.seats = 1;
    run(500);
    expect(shares.lagSteps).toBe(0);
    alone.seats = 0;
    shares.leave(alone);
    // Who comes to somebody else begins two quanta behind.
    const start = 2 * SEAT_QUANTUM_STEPS;
    let both = enter();
    expect(shares.lagSteps).toBe(start);
    both[1]!.seats = 1;
    run(100);
    leave();
    nowMs += 900;
    both = enter();
    expect(shares.lagSteps).toBe(start - 100);
    leave();
    nowMs += 1_100;
    both = enter();
    expect(shares.lagSteps).toBe(start);
  });

  it('are not taken where nothing can be parked', async () => {
    const { engine } = engineOf(2, 0);
    for (let index = 0; index < 3; index += 1) engine.submit(from('flood', 50));
    for (let step = 0; step < 8; step += 1) await engine.step();
    engine.submit(from('light', 5));
    for (let step = 0; step < 8; step += 1) await engine.step();
    expect(engine.stats()).toMatchObject({ running: 2, waiting: 2, parksTotal: 0 });
    await engine.runUntilIdle();
  });

  it('are free, and parking too, when parked sequences are cancelled', async () => {
    const { engine, collected } = engineOf(2, 3);
    const wide = from('a', 100, { choices: 2 });
    engine.submit(wide);
    for (let step = 0; step < 6; step += 1) await engine.step();
    engine.submit(from('b', 10));
    await engine.step();
    expect(engine.stats()).toMatchObject({ running: 2, parked: 1 });
    engine.cancel(wide.requestId, 1);
    await engine.step();
    expect(engine.stats()).toMatchObject({ running: 1, parked: 0 });
    expect([0, 1].map((choice) => collected.answer(wide.requestId, choice).finish?.reason)).toEqual([
      'cancelled',
      'cancelled',
    ]);
    await engine.runUntilIdle();
    expect(engine.stats()).toMatchObject({ running: 0, parked: 0, waiting: 0 });
  });

  it('go round among more tenants than seats, so that nobody starves beside endless answers', async () => {
    const { engine, collected } = engineOf(2, 6);
    const endless = Array.from({ length: 6 }, (_, index) => from(`t${index}`, 15_000));
    for (const request of endless) engine.submit(request);
    const gaps = new Map(endless.map(({ requestId }) => [requestId, { last: 0, longest: 0 }]));
    for (let step = 1; step <= 6_000; step += 1) {
      await engine.step();
      for (const { deltas } of collected.outputs.splice(0)) {
        for (const { requestId } of deltas) {
          const gap = gaps.get(requestId)!;
          gap.longest = Math.max(gap.longest, step - gap.last);
          gap.last = step;
        }
      }
    }
    for (const { longest } of gaps.values()) expect(longest).toBeLessThan(7 * SEAT_QUANTUM_STEPS);
    const tokens = endless.map(({ requestId }) => collected.answer(requestId).tokenIds.length);
    expect(Math.max(...tokens) - Math.min(...tokens)).toBeLessThanOrEqual(2 * (2 * SEAT_QUANTUM_STEPS + 4 * 2));
  });

  it('keep the weighted seat time of two tenants that want more within the bound, over any interval', () => {
    const weight = fc.constantFrom(0.5, 1, 2, 3, 8);
    fc.assert(
      fc.property(
        fc.record({
          slots: fc.integer({ min: 1, max: 6 }),
          weights: fc.tuple(weight, weight, weight),
          lengths: fc.tuple(fc.integer({ min: 60, max: 400 }), fc.integer({ min: 60, max: 400 })),
          visits: fc.array(fc.record({ at: fc.nat(1_500), tokens: fc.integer({ min: 1, max: 300 }) }), {
            maxLength: 12,
          }),
        }),
        ({ slots, weights, lengths, visits }) => {
          const seating = new Seating(slots, 3 * slots + 8);
          const perSeat = { f: 1 / weights[0], m: 1 / weights[1] };
          let [difference, lowest, highest] = [0, 0, 0];
          for (let step = 0; step < 1_500; step += 1) {
            for (const [index, tenantId] of (['f', 'm'] as const).entries()) {
              while ((seating.open.get(tenantId) ?? 0) < slots + 2) {
                seating.submit(from(tenantId, lengths[index]!, { weight: weights[index]! }));
              }
            }
            for (const { at, tokens } of visits)
              if (at === step) seating.submit(from('v', tokens, { weight: weights[2] }));
            const seats = seating.step();
            difference += (seats.get('f') ?? 0) * perSeat.f - (seats.get('m') ?? 0) * perSeat.m;
            lowest = Math.min(lowest, difference);
            highest = Math.max(highest, difference);
          }
          const bound = (2 * SEAT_QUANTUM_STEPS + 4 * slots) * (perSeat.f + perSeat.m);
          expect(highest - lowest).toBeLessThanOrEqual(bound);
        },
      ),
      { numRuns: 150 },
    );
  });
});
