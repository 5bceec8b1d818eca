import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedgerReader, TenantAccount, type TokenCounts } from '#admission';
import { connectRedis, redisKeys } from '#queue';
import { ManualClock } from '../../support/manual-clock.ts';
import { RedisServer } from '../../support/redis-server.ts';

const REQUESTS = 12;
const LEASE_MS = 10_000;
const TOKENS = 100;
/** Credits for 1,000 tokens. */
const PRICE = { prompt: 1, cachedPrompt: 0.25, completion: 3 };

/** What may happen to a request; `lostAnswer` repeats the call as a client does that never saw the answer. */
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('reserve' as const),
      request: fc.nat(REQUESTS - 1),
      hold: fc.nat(400_000),
      lostAnswer: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      request: fc.nat(REQUESTS - 1),
      charge: fc.nat(500_000),
      lostAnswer: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('release' as const),
      request: fc.nat(REQUESTS - 1),
      lostAnswer: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('grant' as const),
      id: fc.nat(6),
      microcredits: fc.nat(1_000_000),
      lostAnswer: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('report' as const),
      request: fc.nat(REQUESTS - 1),
      promptTokens: fc.nat(80),
      cachedTokens: fc.nat(80),
      completionTokens: fc.nat(80),
      lostAnswer: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('adopt' as const),
      request: fc.nat(REQUESTS - 1),
      charge: fc.nat(500_000),
      lostAnswer: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), afterMs: fc.nat(20_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unlimited' as const), on: fc.boolean() }) },
);

/** The same account in a few lines of plain arithmetic. */
class Model {
  granted = 0;
  balance = 0;
  spent = 0;
  unlimited = false;
  readonly grants = new Set<number>();
  readonly held = new Map<string, { hold: number; unlimited: boolean; endsMs: number; used: number; made: number }>();
  /** What each that has ended was charged. */
  readonly ended = new Map<string, number>();
  /** What each was to hold at most when it was first admitted. */
  readonly firstHolds = new Map<string, number>();

  get heldSum(): number {
    return [...this.held.values()].reduce((sum, entry) => sum + entry.hold, 0);
  }

  reserve(id: string, hold: number, nowMs: number): string {
    const known = this.held.get(id);
    if (known !== undefined) {
      known.endsMs = nowMs + LEASE_MS;
      return 'reserved';
    }
    if (this.ended.has(id)) return 'ended';
    if (!this.unlimited && hold > this.balance) return 'credits';
    this.held.set(id, { hold, unlimited: this.unlimited, endsMs: nowMs + LEASE_MS, used: 0, made: -1 });
    this.firstHolds.set(id, hold);
    if (this.unlimited) this.granted += hold;
    else this.balance -= hold;
    return 'reserved';
  }

  end(id: string, charge: number): boolean {
    const entry = this.held.get(id);
    if (entry === undefined) return false;
    this.held.delete(id);
    const paid = Math.min(charge, entry.hold);
    this.ended.set(id, paid);
    this.spent += paid;
    if (entry.unlimited) this.granted -= entry.hold - paid;
    else this.balance += entry.hold - paid;
    return true;
  }

  /** What workers reported of those whose replica is dead is charged. */
  expire(nowMs: number): number {
    const dead = [...this.held].filter(([, entry]) => entry.endsMs <= nowMs);
    for (const [id, { used }] of dead) this.end(id, used);
    return dead.length;
  }

  report(id: string, { promptTokens, cachedTokens, completionTokens }: TokenCounts): boolean {
    const entry = this.held.get(id);
    if (entry === undefined) return false;
    // Of several reports the greatest counts.
    if (completionTokens <= entry.made) return true;
    entry.made = completionTokens;
    const cached = Math.min(cachedTokens, promptTokens);
    const cost =
      (promptTokens - cached) * PRICE.prompt + cached * PRICE.cachedPrompt + completionTokens * PRICE.completion;
    entry.used = Math.ceil(cost * 1_000);
    return true;
  }
}

describe('credits', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await RedisServer.start();
    redis = connectRedis(server.url, 'producer');
    await new Promise((resolve) => redis.once('ready', resolve));
  });
  afterAll(async () => {
    redis.disconnect();
    await server[Symbol.asyncDispose]();
  });

  it('always add up, whatever is repeated, lost or killed, in more than 10,000 random operations', async () => {
    let operations = 0;
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 60, maxLength: 120, size: 'max' }), async (steps) => {
        runs += 1;
        const clock = new ManualClock();
        const tenantId = `tenant-${runs}`;
        const account = new TenantAccount(redis, tenantId, clock);
        const model = new Model();
        let settlements = 0;
        const reserve = (requestId: string, holdMicrocredits: number) =>
          account.reserve({
            requestId,
            requestsPerMinute: null,
            tokensPerMinute: null,
            concurrency: null,
            tokens: TOKENS,
            holdMicrocredits,
            unlimitedCredits: model.unlimited,
            leaseMs: LEASE_MS,
            bill: { model: 'm', keyId: 'k', price: PRICE },
          });
        const settle = (requestId: string, chargeMicrocredits: number) =>
          account.settle({
            requestId,
            outcome: 'completed',
            model: 'm',
            keyId: 'k',
            promptTokens: 3,
            cachedTokens: 1,
            completionTokens: 2,
            chargeMicrocredits,
          });
        for (const step of steps) {
          operations += 1;
          const times = 'lostAnswer' in step && step.lostAnswer ? 2 : 1;
          for (let time = 0; time < times; time += 1) {
            if (step.kind === 'reserve') {
              const requestId = `r${step.request}`;
              const { verdict } = await reserve(requestId, step.hold);
              expect(verdict).toBe(model.reserve(requestId, step.hold, clock.nowMs()));
            } else if (step.kind === 'report') {
              const requestId = `r${step.request}`;
              expect(await account.reportUsage(requestId, step)).toBe(model.report(requestId, step));
            } else if (step.kind === 'adopt') {
              // Another replica goes on with what was ended without one, under a hold of its own, less what it was charged.
              const [first, second] = [`r${step.request}`, `r${step.request}~2`];
              if (!model.ended.has(first)) continue;
              const paid = await account.chargedFor(first);
              expect(paid).toBe(model.ended.get(first));
              const hold = Math.max(0, (model.firstHolds.get(first) ?? 0) - paid);
              const { verdict } = await reserve(second, hold);
              expect(verdict).toBe(model.reserve(second, hold, clock.nowMs()));
              if (step.charge % 3 === 0) continue; // and dies as well
              const charge = Math.max(0, step.charge - paid);
              const settled = await settle(second, charge);
              expect(settled).toBe(model.end(second, charge));
              if (settled) settlements += 1;
              expect(paid + (model.ended.get(second) ?? 0)).toBeLessThanOrEqual(model.firstHolds.get(first) ?? 0);
            } else if (step.kind === 'settle') {
              const requestId = `r${step.request}`;
              const settled = await settle(requestId, step.charge);
              expect(settled).toBe(model.end(requestId, step.charge));
              if (settled) settlements += 1;
            } else if (step.kind === 'release') {
              expect(await account.release(`r${step.request}`)).toBe(model.end(`r${step.request}`, 0));
            } else if (step.kind === 'grant') {
              await account.grant(`g${step.id}`, step.microcredits);
              if (!model.grants.has(step.id)) {
                model.grants.add(step.id);
                model.granted += step.microcredits;
                model.balance += step.microcredits;
              }
            } else if (step.kind === 'crash') {
              // Whoever held leases is dead; time passes; another replica sweeps.
              clock.advance(step.afterMs);
              expect(await account.expireDead(0)).toBe(model.expire(clock.nowMs()));
            } else model.unlimited = step.on;
          }
          const sums = await account.sums();
          expect(sums).toEqual({
            granted: model.granted,
            balance: model.balance,
            held: model.heldSum,
            spent: model.spent,
            renewed: 0,
            expired: 0,
          });
          expect(sums.held + sums.spent).toBe(sums.granted - sums.balance);
          expect(Math.min(sums.granted, sums.balance, sums.held, sums.spent)).toBeGreaterThanOrEqual(0);
        }
        clock.advance(LEASE_MS + 1);
        await account.expireDead(0);
        expect((await account.sums()).held).toBe(0);
        expect(await redis.zcard(redisKeys.leases(tenantId))).toBe(0);
        const entries = await new LedgerReader(redis, 'audit', 'one').read(tenantId, 10_000);
        const completed = entries.filter((entry) => entry.outcome === 'completed');
        expect(completed).toHaveLength(settlements);
        model.expire(clock.nowMs());
        // The ledger's charges, of requests that ended and of those whose replica died, are all that was spent.
        const charged = entries.filter((entry) => entry.kind === 'usage');
        expect(Math.round(charged.reduce((sum, entry) => sum + entry.credits * 1_000_000, 0))).toBe(model.spent);
        expect((await account.sums()).spent).toBe(model.spent);
      }),
      { numRuns: 130 },
    );
    expect(operations).toBeGreaterThanOrEqual(10_000);
  }, 120_000);
});
