import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';
import { TenantStore } from '../tenants/tenant-store.ts';
import type { LedgerEntry } from './ledger-entry.ts';
import { LedgerReader } from './ledger-reader.ts';
import { WebhookRefusedError } from './webhook-refused-error.ts';

export interface LedgerWebhookOptions {
  /** A `producer` connection, which stays its owner's to close. */
  readonly redis: Redis;
  readonly url: string;
  /** Signs every delivery. */
  readonly secret: string;
  /** This replica. */
  readonly memberId: string;
  /** Pause between two looks for new entries. Default 5 s. */
  readonly intervalMs?: number;
  /** First pause after a failed delivery; doubled each time up to a minute. Default 1 s. */
  readonly retryMs?: number;
  /** Hears of every failed delivery, each of which is tried again. */
  readonly onProblem?: (error: unknown) => void;
}

const GROUP = 'webhook';
const BATCH = 100;
const DELIVERY_TIMEOUT_MS = 10_000;
const LONGEST_RETRY_MS = 60_000;
/** Another replica takes over this long, and the longest pause, after the delivering one fell silent. */
const LEAD_MS = 30_000;

/**
 * Sends every ledger entry to one address, at least once: batches of one tenant each, signed, and repeated until the address
 * answers 2xx. Of all replicas one delivers at a time. What waits is in the ledgers, which are bounded; nothing more than one
 * batch is in memory. Signatures are those of Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`).
 *
 * @example
 * await using webhook = new LedgerWebhook({ redis, url, secret, memberId: replicaId });
 */
export class LedgerWebhook implements AsyncDisposable {
  readonly #options: LedgerWebhookOptions;
  readonly #reader: LedgerReader;
  readonly #stopped = new AbortController();
  readonly #over: Promise<void>;

  constructor(options: LedgerWebhookOptions) {
    this.#options = options;
    this.#reader = new LedgerReader(options.redis, GROUP, options.memberId);
    this.#over = this.#run();
  }

  /** Ends a delivery that is under way; its entries are delivered again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#over;
    const { redis, memberId } = this.#options;
    const leader = await redis.get(redisKeys.ledgerDelivery).catch(() => null);
    if (leader === memberId) await redis.del(redisKeys.ledgerDelivery).catch(() => 0);
  }

  async #run(): Promise<void> {
    const { intervalMs = 5_000 } = this.#options;
    while (!this.#stopped.signal.aborted) {
      try {
        if (await this.#leads()) await this.#deliverAll();
      } catch (error) {
        if (!this.#stopped.signal.aborted) this.#options.onProblem?.(error);
      }
      await this.#pause(intervalMs);
    }
  }

  async #deliverAll(): Promise<void> {
    const { redis } = this.#options;
    for (const tenantId of await new TenantStore(redis).everKnown()) {
      let entries = await this.#reader.read(tenantId, BATCH);
      while (entries.length > 0 && !this.#stopped.signal.aborted) {
        await this.#deliver(tenantId, entries);
        if (this.#stopped.signal.aborted) return;
        await this.#reader.confirm(tenantId, entries);
        if (!(await this.#leads())) return;
        entries = await this.#reader.read(tenantId, BATCH);
      }
    }
  }

  /** Until it was taken, or this stops. */
  async #deliver(tenantId: string, entries: readonly LedgerEntry[]): Promise<void> {
    let pauseMs = this.#options.retryMs ?? 1_000;
    while (!this.#stopped.signal.aborted) {
      try {
        await this.#post(tenantId, entries);
        return;
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        this.#options.onProblem?.(error);
      }
      await this.#pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_RETRY_MS);
      // Keeps the others waiting while this one does.
      await this.#leads().catch(() => false);
    }
  }

  async #post(tenantId: string, entries: readonly LedgerEntry[]): Promise<void> {
    const { url, secret } = this.#options;
    const idOf = (entry: LedgerEntry | undefined) => `${tenantId}/${entry?.entryId}`;
    const id = `${idOf(entries[0])}..${entries.at(-1)?.entryId}`;
    const sentAtS = Math.floor(Date.now() / 1_000);
    const body = JSON.stringify({
      type: 'ledger.entries',
      tenantId,
      entries: entries.map((entry) => ({ id: idOf(entry), ...entry })),
    });
    const signature = createHmac('sha256', secret).update(`${id}.${sentAtS}.${body}`).digest('base64');
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(sentAtS),
        'webhook-signature': `v1,${signature}`,
      },
      body,
      signal: AbortSignal.any([AbortSignal.timeout(DELIVERY_TIMEOUT_MS), this.#stopped.signal]),
    });
    await response.body?.cancel();
    if (!response.ok) throw new WebhookRefusedError(response.status, id);
  }

  /** Two that both believe to lead deliver an entry twice, which an address has to expect anyway. */
  async #leads(): Promise<boolean> {
    const { redis, memberId } = this.#options;
    return redisCall(redis, 'see who delivers the ledgers', async () => {
      if ((await redis.set(redisKeys.ledgerDelivery, memberId, 'PX', LEAD_MS + LONGEST_RETRY_MS, 'NX')) === 'OK') {
        return true;
      }
      if ((await redis.get(redisKeys.ledgerDelivery)) !== memberId) return false;
      await redis.pexpire(redisKeys.ledgerDelivery, LEAD_MS + LONGEST_RETRY_MS);
      return true;
    });
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopped.signal, ref: false }).catch(() => {});
  }
}
