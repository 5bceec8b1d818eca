import type { Redis } from 'ioredis';

/** The oldest release with which all tests run; Valkey counts as the Redis that it says it is compatible with. */
const OLDEST_MAJOR = 7;

/** What a Redis says of itself that matters here; sentences with a remedy. */
export interface RedisFitness {
  /** It can not be used like this. */
  readonly refusals: readonly string[];
  /** It can, and something may be lost. */
  readonly risks: readonly string[];
}

/** Asks a Redis that answers. Where it does not tell (INFO is not allowed to this user) nothing is held against it. */
export async function redisFitness(redis: Pick<Redis, 'info'>): Promise<RedisFitness> {
  const info = await redis.info().catch(() => '');
  const field = (name: string) => info.match(new RegExp(`^${name}:([^\r\n]*)`, 'm'))?.[1] ?? null;
  const refusals: string[] = [];
  const risks: string[] = [];
  const version = field('redis_version');
  if (version !== null && Number.parseInt(version, 10) < OLDEST_MAJOR) {
    refusals.push(`it is Redis ${version}, and Millrace needs Redis or Valkey ${OLDEST_MAJOR} or later`);
  }
  if (field('role') === 'slave') {
    refusals.push('it is a replica, which takes no writes: name its master, or its Sentinels with ?master=NAME');
  }
  const policy = field('maxmemory_policy');
  if (policy !== null && policy !== 'noeviction') {
    risks.push(
      `maxmemory-policy is ${policy}, so when memory is short balances and queued requests are thrown away: set noeviction`,
    );
  }
  if (field('aof_enabled') === '0') {
    risks.push('it keeps no append-only file, so balances and the ledger may be lost with it: set appendonly yes');
  }
  return { refusals, risks };
}
