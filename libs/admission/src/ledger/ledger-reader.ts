import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';
import { type LedgerEntry, ledgerEntryOf } from './ledger-entry.ts';

type StreamEntries = [entryId: string, fields: string[]][];
type GroupAnswer = [stream: string, entries: StreamEntries][] | null;

/** An entry that a reader took and never confirmed is handed out again after this time. */
const UNCONFIRMED_MS = 60_000;

/**
 * Reads the ledgers as one member of a consumer group: every entry reaches one member at least once, and again until it
 * was confirmed. Every method throws MillraceError `unavailable` when Redis is away.
 */
export class LedgerReader {
  readonly #redis: Redis;
  readonly #group: string;
  readonly #member: string;

  /** @param group who exports (`billing`), @param member which of its processes this is */
  constructor(redis: Redis, group: string, member: string) {
    this.#redis = redis;
    this.#group = group;
    this.#member = member;
  }

  /** Up to `count` entries of one tenant, oldest first: abandoned ones of other members before new ones. */
  async read(tenantId: string, count: number): Promise<LedgerEntry[]> {
    const stream = redisKeys.ledger(tenantId);
    const entries = await redisCall(this.#redis, `read the ledger of ${tenantId}`, async () => {
      try {
        return await this.#take(stream, count);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith('NOGROUP')) throw error;
        // Most tenants have no ledger: none is made for a reader that only looks.
        if ((await this.#redis.exists(stream)) === 0) return [];
        await this.#createGroup(stream);
        return this.#take(stream, count);
      }
    });
    return entries.map(([entryId, fields]) => ledgerEntryOf(tenantId, entryId, fields));
  }

  /** The entries are exported safely and shall not be handed out again. @returns how many were still to be confirmed */
  async confirm(tenantId: string, entries: readonly Pick<LedgerEntry, 'entryId'>[]): Promise<number> {
    if (entries.length === 0) return 0;
    return redisCall(this.#redis, `confirm the ledger of ${tenantId}`, () =>
      this.#redis.xack(redisKeys.ledger(tenantId), this.#group, ...entries.map((entry) => entry.entryId)),
    );
  }

  /** Drops entries older than this; what groups have not read by then is gone, so export more often. */
  async trim(tenantId: string, olderThanMs: number): Promise<number> {
    return redisCall(this.#redis, `trim the ledger of ${tenantId}`, () =>
      this.#redis.xtrim(redisKeys.ledger(tenantId), 'MINID', Math.max(0, olderThanMs)),
    );
  }

  async #take(stream: string, count: number): Promise<StreamEntries> {
    const claimed = await this.#redis.xautoclaim(
      stream,
      this.#group,
      this.#member,
      UNCONFIRMED_MS,
      '0',
      'COUNT',
      count,
    );
    const abandoned = claimed[1] as StreamEntries;
    if (abandoned.length >= count) return abandoned;
    const fresh = (await this.#redis.xreadgroup(
      'GROUP',
      this.#group,
      this.#member,
      'COUNT',
      count - abandoned.length,
      'STREAMS',
      stream,
      '>',
    )) as GroupAnswer;
    return [...abandoned, ...(fresh?.[0]?.[1] ?? [])];
  }

  async #createGroup(stream: string): Promise<void> {
    try {
      await this.#redis.xgroup('CREATE', stream, this.#group, '0');
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('BUSYGROUP')) throw error;
    }
  }
}
