import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AdmissionGate, AllowancePeriod, LedgerReader, ledgerCsvLine, microcreditsOf, TenantAccount } from '#admission';
import { connectRedis, redisKeys } from '#queue';
import { admissionRequest } from '../../support/admission-request.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { RedisServer } from '../../support/redis-server.ts';

const DAY_MS = 24 * 3_600_000;
const FIRST_OF_MARCH = Date.UTC(2028, 2);
const credits = microcreditsOf;

let server: RedisServer;
let redis: Redis;
let clock: ManualClock;
let account: TenantAccount;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  redis = connectRedis(server.url, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
  await redis.flushall();
  // The last day but one of a February of 29.
  clock = new ManualClock(FIRST_OF_MARCH - 2 * DAY_MS);
  account = new TenantAccount(redis, 'team-a', clock);
});
afterEach(() => redis.disconnect());

const hold = (requestId: string, holdCredits: number, of = account) =>
  of.reserve({
    requestId,
    requestsPerMinute: null,
    tokensPerMinute: null,
    concurrency: null,
    tokens: 10,
    holdMicrocredits: credits(holdCredits),
    unlimitedCredits: false,
    leaseMs: 10_000,
  });

const settle = (requestId: string, charged: number, of = account) =>
  of.settle({
    requestId,
    outcome: 'completed',
    model: 'm',
    keyId: 'k',
    promptTokens: 1,
    cachedTokens: 0,
    completionTokens: 1,
    chargeMicrocredits: credits(charged),
  });

/** In credits: what is left of the allowance, what of granted credits, held, spent, expired. */
async function standing(): Promise<Record<string, number>> {
  const { sums, allowance } = await account.read();
  expect(sums.held + sums.spent + sums.expired).toBe(sums.granted + sums.renewed - sums.balance);
  const left = allowance?.leftMicrocredits ?? 0;
  const inCredits = { left, granted: sums.balance - left, held: sums.held, spent: sums.spent, expired: sums.expired };
  return Object.fromEntries(Object.entries(inCredits).map(([name, value]) => [name, value / credits(1)]));
}

/** What came and went, as `<kind> <id> <credits>`, without usage. */
async function changes(): Promise<string[]> {
  const entries = await new LedgerReader(redis, `reader-${Math.random()}`, 'one').read('team-a', 1_000);
  return entries
    .filter(({ kind }) => kind !== 'usage')
    .map(
      (entry) => `${entry.kind} ${entry.requestId} ${entry.credits} ${new Date(entry.atMs).toISOString().slice(0, 10)}`,
    );
}

describe('the period of an allowance', () => {
  it('is the day, the week from Monday or the month of the calendar in UTC, in any year', async () => {
    let runs = 0;
    const moment = fc.date({ min: new Date('1970-01-05'), max: new Date('2400-12-31'), noInvalidDate: true });
    await fc.assert(
      fc.asyncProperty(moment, fc.constantFrom(...AllowancePeriod.options), async (date, period) => {
        runs += 1;
        const other = new TenantAccount(redis, `calendar-${runs}`, new ManualClock(date.getTime()));
        await other.setAllowance({ microcredits: 1, period });
        const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
        const first = period === 'month' ? 1 : period === 'week' ? day - ((date.getUTCDay() + 6) % 7) : day;
        const end =
          period === 'month' ? Date.UTC(year, month + 1) : Date.UTC(year, month, first + (period === 'week' ? 7 : 1));
        expect((await other.read()).allowance?.renewsAtMs).toBe(end);
        const [entry] = await new LedgerReader(redis, 'calendar', 'one').read(other.tenantId, 1);
        expect(entry?.requestId).toBe(`${period}:${new Date(Date.UTC(year, month, first)).toISOString().slice(0, 10)}`);
      }),
      {
        numRuns: 300,
        examples: [
          [new Date('2028-02-29T23:59:59.999Z'), 'month'],
          [new Date('2100-02-28'), 'month'],
        ],
      },
    );
  });

  it('renews in the millisecond in which it begins, and not before', async () => {
    await account.setAllowance({ microcredits: credits(10), period: 'month' });
    clock.advance(2 * DAY_MS - 1);
    await hold('last', 4);
    expect(await standing()).toMatchObject({ left: 6, held: 4, expired: 0 });
    clock.advance(1);
    expect(await standing()).toMatchObject({ left: 10, held: 4, expired: 6 });
    expect(await changes()).toEqual([
      'renewal month:2028-02-01 10 2028-02-28',
      'expiry month:2028-02-01 -6 2028-03-01',
      'renewal month:2028-03-01 10 2028-03-01',
    ]);
  });

  it('is spent before granted credits, which stay when it ends', async () => {
    await account.grant('first', credits(5));
    await account.setAllowance({ microcredits: credits(10), period: 'day' });
    await hold('r1', 8);
    await hold('r2', 4);
    await settle('r1', 8);
    expect(await standing()).toMatchObject({ left: 0, granted: 3, held: 4 });
    // It held granted credits, which the allowance pays in the end.
    await settle('r2', 1);
    expect(await standing()).toMatchObject({ left: 1, granted: 5, spent: 9 });
    await hold('r3', 3);
    await settle('r3', 3);
    clock.advance(DAY_MS);
    expect(await standing()).toEqual({ left: 10, granted: 3, held: 0, spent: 12, expired: 0 });
    expect((await hold('r4', 13.5)).verdict).toBe('credits');
    expect((await hold('r5', 13)).verdict).toBe('reserved');
  });

  it('gives and ends nothing for periods in which nobody asked, and one entry each for those around them', async () => {
    await account.setAllowance({ microcredits: credits(10), period: 'day' });
    clock.advance(100 * DAY_MS);
    expect((await hold('r1', 2)).allowance?.leftMicrocredits).toBe(credits(8));
    expect(await changes()).toEqual([
      'renewal day:2028-02-28 10 2028-02-28',
      'expiry day:2028-02-28 -10 2028-02-29',
      'renewal day:2028-06-07 10 2028-06-07',
    ]);
  });

  it('is renewed once, whichever of many replicas ask at its beginning', async () => {
    await account.setAllowance({ microcredits: credits(10), period: 'week' });
    clock.advance(14 * DAY_MS);
    const connections = Array.from({ length: 8 }, () => connectRedis(server.url, 'producer'));
    await Promise.all(connections.map((connection) => new Promise((resolve) => connection.once('ready', resolve))));
    const verdicts = await Promise.all(
      Array.from({ length: 64 }, async (_, index) => {
        const replica = new TenantAccount(connections[index % 8]!, 'team-a', clock);
        if (index % 4 === 0) await replica.read();
        return (await hold(`r${index}`, 0.25, replica)).verdict;
      }),
    );
    for (const connection of connections) connection.disconnect();
    expect(verdicts.filter((verdict) => verdict === 'reserved')).toHaveLength(40);
    expect(await standing()).toEqual({ left: 0, granted: 0, held: 10, spent: 0, expired: 10 });
    expect(await changes()).toHaveLength(3);
  });

  it('does not come again when the clock of Redis goes back', async () => {
    await account.setAllowance({ microcredits: credits(10), period: 'day' });
    clock.advance(DAY_MS);
    await hold('r1', 4);
    clock.advance(-3 * DAY_MS);
    expect(await standing()).toMatchObject({ left: 6, expired: 10 });
    clock.advance(3 * DAY_MS + 1);
    expect(await standing()).toMatchObject({ left: 6, expired: 10 });
  });
});

describe('a hold over the end of its period', () => {
  it('is charged to its own period, and what it gives back has ended', async () => {
    await account.setAllowance({ microcredits: credits(10), period: 'day' });
    await hold('old', 7);
    clock.advance(DAY_MS);
    await settle('old', 2);
    expect(await standing()).toEqual({ left: 10, granted: 0, held: 0, spent: 2, expired: 8 });
    expect((await changes()).slice(1)).toEqual([
      'expiry day:2028-02-28 -3 2028-02-29',
      'renewal day:2028-02-29 10 2028-02-29',
      'expiry old -5 2028-02-29',
    ]);
  });

  it('gives back granted credits that it held, also when the period ends unseen', async () => {
    await account.grant('first', credits(20));
    await account.setAllowance({ microcredits: credits(10), period: 'day' });
    await hold('r1', 8);
    await hold('r2', 8);
    await hold('r3', 8);
    expect(await standing()).toMatchObject({ left: 0, granted: 6 });
    clock.advance(DAY_MS);
    // 14 of the 24 are granted credits; of 24 used, what comes back first is those.
    await settle('r1', 0);
    expect(await standing()).toMatchObject({ left: 10, granted: 14, held: 16, expired: 0 });
    await account.release('r2');
    expect(await standing()).toMatchObject({ left: 10, granted: 20, held: 8, expired: 2 });
    clock.advance(10_001);
    expect(await account.expireDead(0)).toBe(1);
    expect(await standing()).toEqual({ left: 10, granted: 20, held: 0, spent: 0, expired: 10 });
    expect(await redis.hkeys(redisKeys.account('team-a'))).not.toContain('open:1');
  });

  it('is not given to the allowance that came in the place of its own in the same period', async () => {
    await account.setAllowance({ microcredits: credits(10), period: 'month' });
    await hold('r1', 10);
    await account.setAllowance(null);
    await account.setAllowance({ microcredits: credits(3), period: 'month' });
    await settle('r1', 1);
    expect(await standing()).toEqual({ left: 3, granted: 0, held: 0, spent: 1, expired: 9 });
  });
});

describe('a change of an allowance', () => {
  it('to the same is none', async () => {
    for (let time = 0; time < 3; time += 1) await account.setAllowance({ microcredits: credits(10), period: 'week' });
    await account.setAllowance({ period: 'week' });
    expect(await changes()).toHaveLength(1);
  });

  it('to another amount counts what the period has used, and asks nothing back', async () => {
    await account.grant('first', credits(5));
    await account.setAllowance({ microcredits: credits(10), period: 'month' });
    await hold('r1', 6);
    await account.setAllowance({ microcredits: credits(20) });
    expect(await standing()).toMatchObject({ left: 14, granted: 5, expired: 0 });
    await account.setAllowance({ microcredits: credits(8) });
    expect(await standing()).toMatchObject({ left: 2, granted: 5, expired: 12 });
    await account.setAllowance({ microcredits: credits(3) });
    expect(await standing()).toMatchObject({ left: 0, granted: 5, expired: 14 });
    // 3 were allowed and 6 are held: 3 of what comes back end, the rest is allowance again.
    await settle('r1', 1);
    expect(await standing()).toEqual({ left: 2, granted: 5, held: 0, spent: 1, expired: 17 });
    expect((await changes()).slice(1)).toEqual([
      'renewal month:2028-02-01 10 2028-02-28',
      'renewal month:2028-02-01 10 2028-02-28',
      'expiry month:2028-02-01 -12 2028-02-28',
      'expiry month:2028-02-01 -2 2028-02-28',
      'expiry r1 -3 2028-02-28',
    ]);
  });

  it('to a higher one pays granted credits back that were used beyond it', async () => {
    await account.grant('first', credits(5));
    await account.setAllowance({ microcredits: credits(10), period: 'month' });
    await hold('r1', 14);
    expect(await standing()).toMatchObject({ left: 0, granted: 1 });
    await account.setAllowance({ microcredits: credits(13) });
    expect(await standing()).toMatchObject({ left: 0, granted: 4 });
  });

  it('to another period begins that one with all of it, and ends what was left', async () => {
    await account.setAllowance({ microcredits: credits(10), period: 'month' });
    await hold('r1', 4);
    await settle('r1', 4);
    await account.setAllowance({ period: 'day' });
    expect(await standing()).toEqual({ left: 10, granted: 0, held: 0, spent: 4, expired: 6 });
  });

  it('takes it away, and a part of one that is not there changes nothing', async () => {
    await account.setAllowance({ microcredits: credits(10), period: 'month' });
    await account.grant('first', credits(1));
    await account.setAllowance(null);
    expect(await standing()).toEqual({ left: 0, granted: 1, held: 0, spent: 0, expired: 10 });
    expect(await account.setAllowance({ microcredits: credits(3) })).toBe(false);
    expect(await account.setAllowance({ period: 'day' })).toBe(false);
    clock.advance(60 * DAY_MS);
    expect((await account.read()).allowance).toBeNull();
    expect(await account.setGranted(0)).toBe(0);
    expect(await standing()).toMatchObject({ granted: 0 });
  });

  it('is not what a declared sum of grants takes away', async () => {
    await account.grant('first', credits(5));
    await account.setAllowance({ microcredits: credits(10), period: 'month' });
    expect(await account.setGranted(0)).toBe(0);
    expect(await standing()).toMatchObject({ left: 10, granted: 0 });
  });
});

describe('admission', () => {
  /** Commands that scripts give Redis. */
  async function commandsOf(work: () => Promise<unknown>): Promise<number> {
    await redis.config('RESETSTAT');
    await work();
    const stats = await redis.info('commandstats');
    const calls = [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].filter(
      ([, name]) => !/config|info|eval/.test(name!),
    );
    return calls.reduce((sum, [, , count]) => sum + Number(count), 0);
  }

  it('of a tenant without an allowance takes not a command more, and of one with it two', async () => {
    await account.grant('first', credits(5));
    // The first of a bucket sets the end of its life.
    await hold('r1', 1);
    expect(await commandsOf(() => hold('r2', 1))).toBe(8);
    expect(await commandsOf(() => settle('r2', 1))).toBe(25);
    await account.setAllowance({ microcredits: credits(10), period: 'month' });
    expect(await commandsOf(() => hold('r3', 1))).toBe(10);
    expect(await commandsOf(() => settle('r3', 1))).toBe(27);
  });

  it('says in 402 what there will be when, and how the allowance stands beside the limits', async () => {
    await using gate = new AdmissionGate({ redis, clock });
    await account.grant('first', credits(0.2));
    await account.setAllowance({ microcredits: credits(1), period: 'month' });
    const metered = { credits: 'metered' as const };
    const first = await gate.decide(admissionRequest(metered));
    const standing = { microcredits: credits(1), leftMicrocredits: credits(0.1), renewsAtMs: FIRST_OF_MARCH };
    expect(first.rates?.allowance).toEqual(standing);
    const second = await gate.decide(admissionRequest(metered));
    if (second.admitted) throw new Error('admitted');
    expect(second.error.code).toBe('insufficient_credits');
    expect(second.error.retryAfterMs).toBeNull();
    expect(second.error.message).toContain(
      'has 0.3 left, and will have 1.2 when its allowance renews at 2028-03-01T00:00:00Z.',
    );
    expect(second.rates?.allowance).toEqual(standing);
    clock.advance(2 * DAY_MS);
    expect((await gate.decide(admissionRequest(metered))).admitted).toBe(true);
  });

  it('gives the hold back to the allowance where there is no place in the queue', async () => {
    await using gate = new AdmissionGate({ redis, clock, queuePlaces: 1 });
    await account.setAllowance({ microcredits: credits(5), period: 'month' });
    const metered = { credits: 'metered' as const };
    expect((await gate.decide(admissionRequest(metered))).admitted).toBe(true);
    const before = await account.read();
    const refused = await gate.decide(admissionRequest(metered));
    expect(refused.admitted).toBe(false);
    expect(await account.read()).toEqual(before);
    expect(refused.rates?.allowance?.leftMicrocredits).toBe(before.allowance?.leftMicrocredits);
  });
});

describe('beside replicas of a release without allowances', () => {
  /** What their scripts do to an account. */
  const oldHold = async (requestId: string, microcredits: number) => {
    const key = redisKeys.account('team-a');
    if (Number(await redis.hget(key, 'balance')) < microcredits) return false;
    await redis.hincrby(key, 'held', microcredits);
    await redis.hincrby(key, 'balance', -microcredits);
    const record = { state: 'held', hold: microcredits, tokens: 0, bucket: 0, unlimited: 0, sinceMs: clock.nowMs() };
    await redis.hset(redisKeys.reservation('team-a', requestId), record);
    return true;
  };
  const oldSettle = async (requestId: string, microcredits: number) => {
    const key = redisKeys.account('team-a');
    const reservation = redisKeys.reservation('team-a', requestId);
    const [state, held] = await redis.hmget(reservation, 'state', 'hold');
    if (state !== 'held') return;
    const charge = Math.min(microcredits, Number(held));
    await redis.hincrby(key, 'held', -Number(held));
    await redis.hincrby(key, 'spent', charge);
    await redis.hincrby(key, 'balance', Number(held) - charge);
    await redis.hset(reservation, 'state', 'settled');
  };

  it('accounts add up, and nothing is below zero or held for ever', async () => {
    const step = fc.record({
      what: fc.constantFrom('hold', 'settle', 'oldHold', 'oldSettle', 'day', 'change'),
      request: fc.nat(5),
      amount: fc.nat(9),
    });
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        runs += 1;
        await redis.flushall();
        await account.grant('first', credits(10));
        await account.setAllowance({ microcredits: credits(10), period: 'day' });
        for (const { what, request, amount } of steps) {
          const requestId = `r${request}`;
          if (what === 'hold') await hold(requestId, amount);
          else if (what === 'settle') await settle(requestId, amount);
          else if (what === 'oldHold' && (await redis.exists(redisKeys.reservation('team-a', requestId))) === 0) {
            await oldHold(requestId, credits(amount));
          } else if (what === 'oldSettle') await oldSettle(requestId, credits(amount));
          else if (what === 'change') await account.setAllowance({ microcredits: credits(1 + amount) });
          else if (what === 'day') clock.advance(DAY_MS);
          const now = await standing();
          expect(Math.min(...Object.values(now))).toBeGreaterThanOrEqual(0);
        }
        for (let request = 0; request < 6; request += 1) await settle(`r${request}`, 0);
        expect(await standing()).toMatchObject({ held: 0 });
      }),
      { numRuns: 60 },
    );
    expect(runs).toBe(60);
  });

  it('entries are stored as grants, which their exports add up, and told apart here', async () => {
    await account.setAllowance({ microcredits: credits(10), period: 'day' });
    clock.advance(DAY_MS);
    await account.read();
    const stored = await redis.xrange(redisKeys.ledger('team-a'), '-', '+');
    expect(stored.map(([, fields]) => fields.slice(0, 4).join(' '))).toEqual([
      'kind grant allowance renewal',
      'kind grant allowance expiry',
      'kind grant allowance renewal',
    ]);
    const [, expiry] = await new LedgerReader(redis, 'billing', 'one').read('team-a', 10);
    expect(ledgerCsvLine(expiry!)).toMatch(/,team-a,expiry,day:2028-02-28,\d+,,,,0,0,0,-10$/);
  });
});
