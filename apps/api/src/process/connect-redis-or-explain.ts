import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisTarget } from '#config';
import { connectRedis } from '#queue';
import { StartError } from './start-error.ts';

type RedisConnection = ReturnType<typeof connectRedis>;

const TRIES = 20;
const PAUSE_MS = 250;

/**
 * A producer's connection that has answered once.
 * @throws StartError when Redis does not answer within about five seconds
 */
export async function connectRedisOrExplain({ url, ca }: RedisTarget): Promise<RedisConnection> {
  let lastError: unknown = null;
  const redis = connectRedis(url, 'producer', {
    ca,
    onError: (error) => {
      lastError = error;
    },
  });
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    try {
      await redis.ping();
      return redis;
    } catch (error) {
      lastError ??= error;
      await sleep(PAUSE_MS);
    }
  }
  redis.disconnect();
  throw new StartError(
    `Redis at ${withoutSecrets(url)} (REDIS_URL) does not answer: ${describe(lastError)}. Start it, or set REDIS_URL.`,
    lastError,
  );
}

function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors[0]);
  return error instanceof Error && error.message !== '' ? error.message : String(error);
}

function withoutSecrets(url: string): string {
  const parsed = new URL(url);
  parsed.username = '';
  parsed.password = '';
  parsed.searchParams.delete('sentinelPassword');
  return parsed.href;
}
