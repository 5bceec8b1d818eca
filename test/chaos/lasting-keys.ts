import type { Redis } from 'ioredis';

/** What `PTTL` says of a key without an end; of one that is gone it says -2. */
const NO_END = -1;

/**
 * The keys without an end; one that expires between the two questions is none of them.
 * @param redis past any proxy
 */
export async function lastingKeys(redis: Redis): Promise<string[]> {
  const keys = await redis.keys('*');
  const ends = await Promise.all(keys.map((name) => redis.pttl(name)));
  return keys.filter((_, index) => ends[index] === NO_END);
}
