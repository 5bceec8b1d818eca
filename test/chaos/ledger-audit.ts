import type { Redis } from 'ioredis';
import { TenantAccount } from '#admission';
import { redisKeys } from '#queue';

interface Settled {
  readonly outcome: string;
  readonly completionTokens: number;
  times: number;
}

/** What is kept of a ledger has a bound, so a long run reads it while it goes on. */
const COLLECT_MS = 5_000;

/** Every settlement of a tenant's ledger since the beginning, and what is wrong with them. */
export class LedgerAudit implements Disposable {
  readonly #redis: Redis;
  readonly #tenantId: string;
  readonly #settled = new Map<string, Settled>();
  readonly #timer: NodeJS.Timeout;
  #collecting: Promise<void> = Promise.resolve();
  #lastEntryId = '0';

  /** @param redis past any proxy */
  constructor(redis: Redis, tenantId: string) {
    this.#redis = redis;
    this.#tenantId = tenantId;
    // While Redis is away there is nothing to read; the next look finds it.
    this.#timer = setInterval(() => void this.#collect().catch(() => {}), COLLECT_MS);
  }

  /**
   * @param completed requests that were answered whole → completion tokens that their clients were told
   * @param begun requests of which their clients have seen something
   */
  async problems(completed: ReadonlyMap<string, number>, begun: ReadonlySet<string>): Promise<string[]> {
    await this.#collect();
    const problems: string[] = [];
    const { granted, renewed, balance, held, spent, expired } = await new TenantAccount(
      this.#redis,
      this.#tenantId,
    ).sums();
    if (held !== 0) problems.push(`${held} microcredits are still held`);
    if (held + spent + expired !== granted + renewed - balance) {
      problems.push(`held ${held} + spent ${spent} + expired ${expired} ≠ ${granted} + ${renewed} − ${balance}`);
    }
    for (const [requestId, { times }] of this.#settled) {
      if (times !== 1) problems.push(`request ${requestId} was settled ${times} times`);
    }
    for (const [requestId, tokens] of completed) {
      const entry = this.#settled.get(requestId);
      // `expired` where the replica was killed before it settled what it had delivered.
      const paid = entry?.outcome === 'completed' || entry?.outcome === 'expired';
      if (!paid || entry.completionTokens !== tokens) {
        problems.push(`request ${requestId}: ${tokens} tokens delivered, settled: ${JSON.stringify(entry)}`);
      }
    }
    for (const requestId of begun) {
      if (!this.#settled.has(requestId)) problems.push(`request ${requestId} was begun and never settled`);
    }
    return problems;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** One after another, so that no entry is counted twice. */
  #collect(): Promise<void> {
    this.#collecting = this.#collecting.catch(() => {}).then(() => this.#read());
    return this.#collecting;
  }

  async #read(): Promise<void> {
    const ledger = redisKeys.ledger(this.#tenantId);
    for (const [entryId, pairs] of await this.#redis.xrange(ledger, `(${this.#lastEntryId}`, '+')) {
      this.#lastEntryId = entryId;
      const fields = Object.fromEntries(pairs.flatMap((name, at) => (at % 2 === 0 ? [[name, pairs[at + 1]]] : [])));
      if (fields.kind !== 'usage') continue;
      const { requestId = '', outcome = '' } = fields;
      const times = (this.#settled.get(requestId)?.times ?? 0) + 1;
      this.#settled.set(requestId, { outcome, completionTokens: Number(fields.completionTokens), times });
    }
  }
}
