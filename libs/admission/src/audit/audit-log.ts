import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';

/** Older entries are forgotten; whoever needs them takes them from the API's logs. */
const ENTRIES_KEPT = 10_000;
/** Longest detail in characters of JSON: a whole file of tenants may be applied at once. */
const LONGEST_DETAIL = 16_384;

/** One thing that somebody changed through the admin API. No key, and no hash of one. */
export interface AuditEntry {
  readonly entryId: string;
  /** Unix time in ms. */
  readonly atMs: number;
  readonly requestId: string;
  /** Who did it: the key, and its tenant. */
  readonly tenantId: string;
  readonly keyId: string;
  /** As `PUT tenants/:id`. */
  readonly action: string;
  /** What it was done to: the values of the route's parameters. */
  readonly subject: readonly string[];
  /** What was asked for, or what came of it. */
  readonly detail: unknown;
}

export type AuditRecord = Omit<AuditEntry, 'entryId' | 'atMs'>;

/** What was changed through the admin API, by whom. Every method throws MillraceError `unavailable` when Redis is away. */
export class AuditLog {
  readonly #redis: Redis;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async add(record: AuditRecord): Promise<void> {
    const length = JSON.stringify(record.detail ?? null).length;
    const kept = length <= LONGEST_DETAIL ? record : { ...record, detail: { leftOut: `${length} characters` } };
    await redisCall(this.#redis, 'note what was changed', () =>
      this.#redis.xadd(redisKeys.audit, 'MAXLEN', '~', ENTRIES_KEPT, '*', 'record', JSON.stringify(kept)),
    );
  }

  /** The newest first. @param before the id of the last entry of the page before; null for the first page */
  async page(before: string | null, count: number): Promise<AuditEntry[]> {
    const entries = await redisCall(this.#redis, 'read what was changed', () =>
      this.#redis.xrevrange(redisKeys.audit, before === null ? '+' : `(${before}`, '-', 'COUNT', count),
    );
    return entries.map(([entryId, fields]) => ({
      entryId,
      atMs: Number(entryId.split('-', 1)[0]),
      ...(JSON.parse(fields[1] ?? '{}') as AuditRecord),
    }));
  }
}
