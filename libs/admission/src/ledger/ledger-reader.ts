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
      await this.#createGroup(stream);
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
    });
    return entries.map(([entryId, fields]) => ledgerEntryOf(tenantId, entryId, fields));
  }

  /** The entries are exported safely and shall not be handed out again. */
  async confirm(tenantId: string, entries: readonly LedgerEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await redisCall(this.#redis, `confirm the ledger of ${tenantId}`, () =>
      this.#redis.xack(redisKeys.ledger(tenantId), this.#group, ...entries.map((entry) => entry.entryId)),
    );
  }

  /** Drops entries older than this; what groups have not read by then is gone, so export more often. */
  async trim(tenantId: string, olderThanMs: number): Promise<number> {
    return redisCall(this.#redis, `trim the ledger of ${tenantId}`, () =>
      this.#redis.xtrim(redisKeys.ledger(tenantId), 'MINID', Math.max(0, olderThanMs)),
    );
  }

  async #createGroup(stream: string): Promise<void> {
    try {
      await this.#redis.xgroup('CREATE', stream, this.#group, '0', 'MKSTREAM');
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('BUSYGROUP')) throw error;
    }
  }
}
