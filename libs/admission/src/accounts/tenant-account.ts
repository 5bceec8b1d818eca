import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';
import { type Clock, systemClock } from '../clock.ts';
import type { AllowancePeriod } from '../credits/allowance.ts';
import { microcreditsOf } from '../credits/credits.ts';
import type { ModelPrice, TokenCounts } from '../credits/price-list.ts';
import { LuaScript, type ScriptCall } from '../lua/lua-script.ts';
import type { AccountState, AccountSums, AllowanceChange, AllowanceStanding } from './account-state.ts';

const reserve = new LuaScript('reserve', 5);
const release = new LuaScript('release', 5);
const settle = new LuaScript('settle', 6);
const expire = new LuaScript('expire', 5);
const reportUsage = new LuaScript('report-usage', 1);
const renew = new LuaScript('renew-leases', 1);
const grantCredits = new LuaScript('grant-credits', 3);
const setGranted = new LuaScript('set-granted', 2);
const setAllowance = new LuaScript('set-allowance', 2);
const readAccount = new LuaScript('read-account', 2);

/** How long the end of a request is remembered, so that late duplicates find it. */
export const REMEMBER_MS = 3_600_000;
const GRANT_REMEMBER_MS = 30 * 24 * 3_600_000;
/** About 2 MB of ledger per tenant; a reader that exports keeps it for longer. */
const LEDGER_ENTRIES_KEPT = 10_000;
const USAGE_KEPT_MS = 400 * 24 * 3_600_000;
/** Leases ended by one call of `expireDead`. */
const EXPIRE_BATCH = 100;

export interface Reservation {
  readonly requestId: string;
  /** null for no limit, in all three. */
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
  readonly concurrency: number | null;
  /** Prompt tokens and the limit of completion tokens. */
  readonly tokens: number;
  readonly holdMicrocredits: number;
  readonly unlimitedCredits: boolean;
  readonly leaseMs: number;
  /** What a request costs that nobody settles, by what a worker reports of it; it is free when this is left out. */
  readonly bill?: { readonly model: string; readonly keyId: string; readonly price: ModelPrice };
}

/** How one limit of the minute stands; limit null for none. */
export interface RateStanding {
  readonly limit: number | null;
  readonly remaining: number;
  /** Time until nothing of it is used any more. */
  readonly resetMs: number;
}

export interface ReserveAnswer {
  /** `ended`: a request of this id has ended already. Others name the limit that stands against it. */
  readonly verdict: 'reserved' | 'credits' | 'requests' | 'tokens' | 'concurrency' | 'ended';
  readonly retryAfterMs: number;
  readonly balanceMicrocredits: number;
  readonly requests: RateStanding;
  readonly tokens: RateStanding;
  readonly allowance: AllowanceStanding | null;
}

export interface Settlement extends TokenCounts {
  readonly requestId: string;
  readonly outcome: 'completed' | 'cancelled' | 'failed';
  readonly model: string;
  readonly keyId: string;
  readonly chargeMicrocredits: number;
}

/** One tenant's credits, limits and leases. Every method throws MillraceError `unavailable` when Redis is away. */
export class TenantAccount {
  readonly tenantId: string;
  readonly #redis: Redis;
  readonly #clock: Clock;

  constructor(redis: Redis, tenantId: string, clock: Clock = systemClock) {
    this.#redis = redis;
    this.tenantId = tenantId;
    this.#clock = clock;
  }

  /** Takes all that the request needs, or nothing. The same id twice is one reservation. */
  async reserve(wanted: Reservation): Promise<ReserveAnswer> {
    const { keys, args } = this.reserveCall(wanted);
    return this.reserveAnswerOf(await this.#run(reserve, keys, args), wanted);
  }

  /** For a script that reserves among other things. */
  reserveCall(wanted: Reservation): ScriptCall {
    return {
      keys: this.#keysOf(wanted.requestId),
      args: [
        wanted.requestId,
        wanted.requestsPerMinute ?? -1,
        wanted.tokensPerMinute ?? -1,
        wanted.concurrency ?? -1,
        wanted.tokens,
        wanted.holdMicrocredits,
        wanted.unlimitedCredits ? 1 : 0,
        wanted.leaseMs,
        wanted.bill?.model ?? '',
        wanted.bill?.keyId ?? '',
        microcreditsOf(wanted.bill?.price.prompt ?? 0),
        microcreditsOf(wanted.bill?.price.cachedPrompt ?? 0),
        microcreditsOf(wanted.bill?.price.completion ?? 0),
        LEDGER_ENTRIES_KEPT,
      ],
    };
  }

  /** What such a script returned for it. */
  reserveAnswerOf(answer: unknown, wanted: Pick<Reservation, 'requestsPerMinute' | 'tokensPerMinute'>): ReserveAnswer {
    const [verdict, ...counts] = answer as [ReserveAnswer['verdict'], ...number[]];
    const [retryAfterMs, balance, requestsLeft, requestsResetMs, tokensLeft, tokensResetMs] = counts;
    const [allowance = -1, left = 0, renewsAtMs = 0] = counts.slice(6);
    return {
      verdict,
      retryAfterMs: Number(retryAfterMs),
      balanceMicrocredits: Number(balance),
      requests: {
        limit: wanted.requestsPerMinute,
        remaining: Number(requestsLeft),
        resetMs: Number(requestsResetMs),
      },
      tokens: { limit: wanted.tokensPerMinute, remaining: Number(tokensLeft), resetMs: Number(tokensResetMs) },
      allowance: allowance < 0 ? null : { microcredits: allowance, leftMicrocredits: left, renewsAtMs },
    };
  }

  /** As if `reserve` had never been called. @returns whether there was something to take back */
  async release(requestId: string): Promise<boolean> {
    const args = [requestId, REMEMBER_MS, LEDGER_ENTRIES_KEPT];
    return (await this.#run(release, this.#keysOf(requestId), args)) === 'released';
  }

  /** Charges what was used and frees the rest, exactly once. @returns false when the request had ended already */
  async settle(settlement: Settlement): Promise<boolean> {
    const [verdict] = (await this.#run(
      settle,
      [...this.#keysOf(settlement.requestId), this.#usageOfToday],
      [
        settlement.requestId,
        settlement.outcome,
        settlement.model,
        settlement.keyId,
        settlement.promptTokens,
        settlement.cachedTokens,
        settlement.completionTokens,
        settlement.chargeMicrocredits,
        LEDGER_ENTRIES_KEPT,
        REMEMBER_MS,
        USAGE_KEPT_MS,
      ],
    )) as [string, number];
    return verdict === 'settled';
  }

  /** @returns the ids whose lease is gone */
  async renew(requestIds: readonly string[], leaseMs: number): Promise<string[]> {
    const gone = await this.#run(renew, [redisKeys.leases(this.tenantId)], [leaseMs, 0, ...requestIds]);
    return gone as string[];
  }

  /** Ends up to 100 requests whose replica is dead. @param graceMs since the end of the lease @returns how many */
  async expireDead(graceMs: number): Promise<number> {
    const given = this.#clock.scriptTime();
    const leases = redisKeys.leases(this.tenantId);
    const dead = await redisCall(this.#redis, `list the leases of ${this.tenantId}`, () =>
      // Redis's own clock decides in the script; this only finds candidates.
      this.#redis.zrangebyscore(leases, '-inf', given === '' ? Date.now() : given, 'LIMIT', 0, EXPIRE_BATCH),
    );
    let expired = 0;
    for (const requestId of dead) {
      const keys = [
        leases,
        this.#account,
        redisKeys.reservation(this.tenantId, requestId),
        redisKeys.ledger(this.tenantId),
        this.#usageOfToday,
      ];
      const args = [requestId, graceMs, LEDGER_ENTRIES_KEPT, REMEMBER_MS, USAGE_KEPT_MS];
      const verdict = await this.#run(expire, keys, args);
      if (verdict === 'expired') expired += 1;
    }
    return expired;
  }

  /**
   * What a worker made of a request whose replica vanished; charged when its lease runs out and nobody went on with it.
   * @returns false when the request has ended
   */
  async reportUsage(requestId: string, tokens: TokenCounts): Promise<boolean> {
    const args = [tokens.promptTokens, tokens.cachedTokens, tokens.completionTokens];
    const keys = [redisKeys.reservation(this.tenantId, requestId)];
    // No time in this one: it only notes.
    const noted = await redisCall(this.#redis, `note what ${requestId} used`, () =>
      reportUsage.run(this.#redis, keys, args),
    );
    return noted === 1;
  }

  /** What a request that has ended was charged; 0 when it is not remembered. */
  async chargedFor(requestId: string): Promise<number> {
    const key = redisKeys.reservation(this.tenantId, requestId);
    return Number(await redisCall(this.#redis, `read what ${requestId} cost`, () => this.#redis.hget(key, 'charge')));
  }

  /** Adds credits, once per grant id. @returns the balance in microcredits */
  async grant(grantId: string, microcredits: number): Promise<number> {
    const keys = [this.#account, redisKeys.grant(this.tenantId, grantId), redisKeys.ledger(this.tenantId)];
    const answer = await this.#run(grantCredits, keys, [grantId, microcredits, LEDGER_ENTRIES_KEPT, GRANT_REMEMBER_MS]);
    return Number((answer as [string, number])[1]);
  }

  /** Sets all that was ever granted; not below what is held and spent. @returns granted, in microcredits */
  async setGranted(microcredits: number): Promise<number> {
    const answer = await this.#run(setGranted, this.#accountAndLedger, [microcredits, LEDGER_ENTRIES_KEPT]);
    return Number((answer as [number, number])[0]);
  }

  /**
   * Gives it an allowance, changes the one it has, or takes it away: what that does to the present period is told in
   * `set-allowance`. @returns false, and nothing is changed, when a part is left out of an allowance that is not there
   */
  async setAllowance(wanted: AllowanceChange | null): Promise<boolean> {
    const args = wanted === null ? [0, ''] : [wanted.microcredits ?? '', wanted.period ?? ''];
    return (await this.#run(setAllowance, this.#accountAndLedger, [LEDGER_ENTRIES_KEPT, ...args])) === 1;
  }

  /** As it is now: an allowance that is due is renewed first. */
  async read(): Promise<AccountState> {
    const answer = await this.#run(readAccount, this.#accountAndLedger, [LEDGER_ENTRIES_KEPT]);
    const [texts, present] = answer as [(string | null)[], [number, AllowancePeriod, number, number]?];
    const [granted = 0, renewed = 0, balance = 0, held = 0, spent = 0, expired = 0] = texts.map(Number);
    const sums = { granted, renewed, balance, held, spent, expired };
    if (present === undefined) return { sums, allowance: null };
    const [microcredits, period, leftMicrocredits, renewsAtMs] = present;
    return { sums, allowance: { microcredits, period, leftMicrocredits, renewsAtMs } };
  }

  async sums(): Promise<AccountSums> {
    return (await this.read()).sums;
  }

  get #usageOfToday(): string {
    return redisKeys.usage(this.tenantId, new Date(this.#clock.nowMs()).toISOString().slice(0, 10));
  }

  get #account(): string {
    return redisKeys.account(this.tenantId);
  }

  get #accountAndLedger(): string[] {
    return [this.#account, redisKeys.ledger(this.tenantId)];
  }

  /** What a reservation and its end touch. */
  #keysOf(requestId: string): string[] {
    return [
      redisKeys.rateWindow(this.tenantId),
      redisKeys.leases(this.tenantId),
      this.#account,
      redisKeys.reservation(this.tenantId, requestId),
      redisKeys.ledger(this.tenantId),
    ];
  }

  #run(script: LuaScript, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return redisCall(this.#redis, `${script.name} for tenant ${this.tenantId}`, () =>
      script.run(this.#redis, keys, [this.#clock.scriptTime(), ...args]),
    );
  }
}
