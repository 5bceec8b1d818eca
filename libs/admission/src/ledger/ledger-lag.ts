import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';

/** Tenants that are looked at: a bound on what one reading asks of Redis. */
const MOST_TENANTS = 200;

/**
 * Entries that each group of exporters has not read yet, over the tenants that had requests in the last hours.
 * @throws MillraceError unavailable
 */
export async function ledgerLag(redis: Redis): Promise<ReadonlyMap<string, number>> {
  const lag = new Map<string, number>();
  await redisCall(redis, 'read the lag of the ledgers', async () => {
    const tenants = await redis.zrevrange(redisKeys.activeTenants, 0, MOST_TENANTS - 1);
    await Promise.all(tenants.map(async (tenant) => addLags(lag, await groupsOf(redis, redisKeys.ledger(tenant)))));
  });
  return lag;
}

/** No groups for a ledger that does not exist yet. */
async function groupsOf(redis: Redis, stream: string): Promise<readonly unknown[]> {
  if ((await redis.exists(stream)) === 0) return [];
  return (await redis.xinfo('GROUPS', stream)) as unknown[];
}

/** A group is a flat list of names and values; `lag` is null when Redis can not tell. */
function addLags(lag: Map<string, number>, groups: readonly unknown[]): void {
  for (const group of groups) {
    const fields = group as (string | number | null)[];
    const field = (name: string) => fields[fields.indexOf(name) + 1];
    const name = String(field('name'));
    lag.set(name, (lag.get(name) ?? 0) + Number(field('lag') ?? 0) + Number(field('pending') ?? 0));
  }
}
