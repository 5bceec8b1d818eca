import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AllowancePeriod, LedgerReader, TenantAccount } from '#admission';
import { connectRedis, redisKeys } from '#queue';
import { ManualClock } from '../../support/manual-clock.ts';
import { RedisServer } from '../../support/redis-server.ts';

const REQUESTS = 20;
const LEASE_MS = 3 * 24 * 3_600_000;
const HOUR_MS = 3_600_000;

const request = fc.nat(REQUESTS - 1);
const amount = fc.nat(300_000);
const period = fc.constantFrom<AllowancePeriod[]>('day', 'week', 'month');
/** Every call may be made twice, as by a client that never saw the answer, and by any of three replicas, whose clocks do not matter. */
const operation = fc.record({
  replica: fc.nat(2),
  lostAnswer: fc.boolean(),
  what: fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('reserve' as const), request, hold: amount }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('settle' as const), request, charge: amount }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), request }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('grant' as const), id: fc.nat(6), credits: amount }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('setGranted' as const), credits: fc.nat(900_000) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('allow' as const),
        credits: fc.option(fc.integer({ min: 1, max: 500_000 }), { nil: undefined }),
        period: fc.option(period, { nil: undefined, freq: 3 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('takeAway' as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 40 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('idle' as const), hours: fc.integer({ min: 40, max: 1_500 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('unlimited' as const), on: fc.boolean() }) },
  ),
});

/** One period in which an allowance stood, told by its requests. */
interface Term {
  readonly kind: AllowancePeriod;
  readonly endsMs: number;
  allowance: number;
  /** What the allowance pays of this period. */
  limit: number;
  /** What was given in it. */
  given: number;
}

interface Held {
  readonly hold: number;
  readonly term: Term | null;
  readonly unlimited: boolean;
  endsMs: number;
  charge: number | null;
}

/** The same account without any balance: every sum is told anew from its requests, grants and periods. */
class Model {
  readonly requests = new Map<string, Held>();
  readonly grants = new Map<number, number>();
  readonly terms: Term[] = [];
  byHand = 0;
  unlimited = false;
  /** Entries that there have to be. */
  renewals = 0;
  present: Term | null = null;

  begin(allowance: number, kind: AllowancePeriod, nowMs: number): void {
    this.present = { kind, endsMs: endOf(kind, nowMs), allowance, limit: allowance, given: allowance };
    this.terms.push(this.present);
    this.renewals += 1;
  }

  renew(nowMs: number): void {
    if (this.present !== null && nowMs >= this.present.endsMs)
      this.begin(this.present.allowance, this.present.kind, nowMs);
  }

  change(allowance: number, nowMs: number, kind: AllowancePeriod): void {
    const { present } = this;
    if (present === null || kind !== present.kind) {
      this.begin(allowance, kind, nowMs);
      return;
    }
    present.allowance = allowance;
    const limit = Math.max(allowance, Math.min(present.limit, this.used(present)));
    present.given += Math.max(0, limit - present.limit);
    if (limit > present.limit) this.renewals += 1;
    present.limit = limit;
  }

  /** What of the present period is used comes down to what the lowered allowance pays. */
  lowerLimit(): void {
    if (this.present === null) return;
    const { allowance, limit } = this.present;
    this.present.limit = Math.max(allowance, Math.min(limit, this.used(this.present)));
  }

  used(term: Term): number {
    return this.#sum((held) => (held.term === term ? (held.charge ?? held.hold) : 0));
  }

  get left(): number {
    return this.present === null ? 0 : Math.max(0, this.present.limit - this.used(this.present));
  }

  get sums() {
    const held = this.#sum(({ hold, charge }) => (charge === null ? hold : 0));
    const spent = this.#sum(({ charge }) => charge ?? 0);
    const unlimited = this.#sum((one) => (one.unlimited ? (one.charge ?? one.hold) : 0));
    const renewed = this.terms.reduce((sum, { given }) => sum + given, 0);
    // What allowances do not pay, granted credits do.
    const byAllowances = this.terms.reduce((sum, term) => sum + Math.min(this.used(term), term.limit), 0);
    const granted = this.byHand + unlimited;
    const balance = granted - (held + spent - byAllowances) + this.left;
    return { granted, renewed, balance, held, spent, expired: renewed - byAllowances - this.left };
  }

  #sum(of: (held: Held) => number): number {
    return [...this.requests.values()].reduce((sum, held) => sum + of(held), 0);
  }
}

function endOf(kind: AllowancePeriod, nowMs: number): number {
  const now = new Date(nowMs);
  const [year, month, date] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  if (kind === 'month') return Date.UTC(year, month + 1);
  return Date.UTC(year, month, date + (kind === 'day' ? 1 : 7 - ((now.getUTCDay() + 6) % 7)));
}

describe('an allowance', () => {
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

  it('adds up in any order of grants, changes, holds, ends, time and crashes, and each change is one entry', async () => {
    let runs = 0;
    const seen = { renewals: 0, late: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 40, maxLength: 120, size: 'max' }), async (steps) => {
        runs += 1;
        const clock = new ManualClock(Date.UTC(2027, 11, 20, 5));
        const tenantId = `tenant-${runs}`;
        const replicas = Array.from({ length: 3 }, () => new TenantAccount(redis, tenantId, clock));
        const model = new Model();
        for (const { replica, lostAnswer, what } of steps) {
          const account = replicas[replica]!;
          for (let time = 0; time < (lostAnswer ? 2 : 1); time += 1) await apply(account, model, clock, what, time);
          model.lowerLimit();
          // Whoever looks finds what is due renewed, though nobody asks; whoever does not look has it renewed later.
          if (replica === 0) {
            model.renew(clock.nowMs());
            await matches(account, model);
          }
        }
        const account = replicas[0]!;
        model.renew(clock.nowMs());
        await matches(account, model);
        clock.advance(LEASE_MS + 1);
        await account.expireDead(0);
        model.renew(clock.nowMs());
        for (const held of model.requests.values()) held.charge ??= 0;
        model.lowerLimit();
        await matches(account, model);
        expect(await redis.hkeys(redisKeys.account(tenantId))).not.toContainEqual(
          expect.stringMatching(/^(open|over):/),
        );

        const entries = await new LedgerReader(redis, 'audit', 'one').read(tenantId, 10_000);
        const total = (kind: string) =>
          Math.round(entries.reduce((sum, entry) => sum + (entry.kind === kind ? entry.credits * 1_000_000 : 0), 0));
        const { renewed, expired, spent, balance } = model.sums;
        expect([total('renewal'), total('expiry'), total('usage')]).toEqual([renewed, 0 - expired, spent]);
        const unlimited = [...model.requests.values()].reduce(
          (sum, one) => sum + (one.unlimited ? (one.charge ?? 0) : 0),
          0,
        );
        expect(total('grant') + unlimited + renewed - expired - spent).toBe(balance);
        expect(entries.filter(({ kind }) => kind === 'renewal')).toHaveLength(model.renewals);
        seen.renewals += model.renewals;
        seen.late += entries.filter(({ kind, requestId }) => kind === 'expiry' && requestId.startsWith('r')).length;
      }),
      { numRuns: 100 },
    );
    expect(Math.min(seen.renewals, seen.late)).toBeGreaterThan(30);
  }, 120_000);
});

type Operation = (typeof operation extends fc.Arbitrary<infer Value> ? Value : never)['what'];

async function apply(account: TenantAccount, model: Model, clock: ManualClock, what: Operation, time: number) {
  const nowMs = clock.nowMs();
  switch (what.kind) {
    case 'reserve': {
      const requestId = `r${what.request}`;
      model.renew(nowMs);
      const known = model.requests.get(requestId);
      const { verdict, balanceMicrocredits, allowance } = await account.reserve({
        requestId,
        requestsPerMinute: null,
        tokensPerMinute: null,
        concurrency: null,
        tokens: 0,
        holdMicrocredits: what.hold,
        unlimitedCredits: model.unlimited,
        leaseMs: LEASE_MS,
      });
      const enough = model.unlimited || what.hold <= model.sums.balance;
      if (known !== undefined) {
        expect(verdict).toBe(known.charge === null ? 'reserved' : 'ended');
        if (known.charge === null) known.endsMs = nowMs + LEASE_MS;
      } else {
        expect(verdict).toBe(enough ? 'reserved' : 'credits');
        const { unlimited } = model;
        const term = unlimited ? null : model.present;
        if (enough)
          model.requests.set(requestId, { hold: what.hold, term, unlimited, endsMs: nowMs + LEASE_MS, charge: null });
      }
      expect(balanceMicrocredits).toBe(model.sums.balance);
      expect(Math.max(0, allowance?.leftMicrocredits ?? 0)).toBe(model.left);
      expect(allowance?.renewsAtMs).toBe(model.present?.endsMs);
      return;
    }
    case 'settle':
    case 'release': {
      const requestId = `r${what.request}`;
      const held = model.requests.get(requestId);
      const open = held !== undefined && held.charge === null;
      if (open && held.term !== null) model.renew(nowMs);
      if (open) held.charge = what.kind === 'settle' ? Math.min(what.charge, held.hold) : 0;
      const counts = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
      const ended =
        what.kind === 'release'
          ? account.release(requestId)
          : account.settle({
              ...{ requestId, outcome: 'completed', model: 'm', keyId: 'k', ...counts },
              chargeMicrocredits: what.charge,
            });
      expect(await ended).toBe(open);
      return;
    }
    case 'grant':
      model.renew(nowMs);
      if (!model.grants.has(what.id)) model.byHand += what.credits;
      if (!model.grants.has(what.id)) model.grants.set(what.id, what.credits);
      expect(await account.grant(`g${what.id}`, what.credits)).toBe(model.sums.balance);
      return;
    case 'setGranted': {
      model.renew(nowMs);
      const { balance, granted } = model.sums;
      model.byHand += Math.max(what.credits - granted, 0 - (balance - model.left));
      expect(await account.setGranted(what.credits)).toBe(model.sums.granted);
      return;
    }
    case 'allow': {
      model.renew(nowMs);
      const [credits, kind] = [what.credits ?? model.present?.allowance, what.period ?? model.present?.kind];
      const known = credits !== undefined && kind !== undefined;
      if (known) model.change(credits, nowMs, kind);
      const { credits: microcredits, period: named } = what;
      const wanted = {
        ...(microcredits !== undefined && { microcredits }),
        ...(named !== undefined && { period: named }),
      };
      expect(await account.setAllowance(wanted)).toBe(known);
      return;
    }
    case 'takeAway':
      model.renew(nowMs);
      model.present = null;
      expect(await account.setAllowance(null)).toBe(true);
      return;
    case 'wait':
    case 'idle':
      if (time === 0) clock.advance(what.hours * HOUR_MS);
      return;
    case 'sweep': {
      const dead = [...model.requests.values()].filter(({ endsMs, charge }) => charge === null && endsMs <= nowMs);
      if (dead.some(({ term }) => term !== null)) model.renew(nowMs);
      for (const held of dead) held.charge = 0;
      expect(await account.expireDead(0)).toBe(dead.length);
      return;
    }
    default:
      model.unlimited = what.on;
  }
}

async function matches(account: TenantAccount, model: Model): Promise<void> {
  const { sums, allowance } = await account.read();
  expect(sums).toEqual(model.sums);
  expect(sums.held + sums.spent + sums.expired).toBe(sums.granted + sums.renewed - sums.balance);
  expect(Math.min(...Object.values(sums))).toBeGreaterThanOrEqual(0);
  const { present } = model;
  expect(allowance).toEqual(
    present && {
      microcredits: present.allowance,
      period: present.kind,
      leftMicrocredits: model.left,
      renewsAtMs: present.endsMs,
    },
  );
}
