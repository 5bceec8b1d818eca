import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';
import { type LedgerEntry, ledgerEntryOf } from './ledger-entry.ts';

/** Before all entries. */
const BEGINNING = '0-0';

/**
 * Entries of one tenant's ledger after `afterEntryId`, oldest first, as far back as they are kept. Changes nothing: the last
 * entry's id is where the next page begins.
 * @param afterEntryId null for the oldest @throws MillraceError unavailable
 */
export async function ledgerPage(
  redis: Redis,
  tenantId: string,
  afterEntryId: string | null,
  count: number,
): Promise<LedgerEntry[]> {
  const entries = await redisCall(redis, `read the ledger of ${tenantId}`, () =>
    redis.xrange(redisKeys.ledger(tenantId), `(${afterEntryId ?? BEGINNING}`, '+', 'COUNT', count),
  );
  return entries.map(([entryId, fields]) => ledgerEntryOf(tenantId, entryId, fields));
}
