import type { Redis } from 'ioredis';
import { MillraceError } from '#contracts';
import { COMMAND_TIMEOUT_MS } from './connect-redis.ts';
import { RedisPulse } from './redis-pulse.ts';

/**
 * Runs calls on a producer's connection in bounded time: at most 2 s for the first connection and 2 s for the calls, and no
 * time at all while Redis is known to be away.
 * @param purpose completes "Redis could not …"
 * @throws MillraceError `unavailable` when Redis is away, slow, or refuses
 */
export async function redisCall<Result>(redis: Redis, purpose: string, call: () => Promise<Result>): Promise<Result> {
  try {
    const problem = RedisPulse.of(redis)?.problem ?? null;
    if (problem !== null) throw new Error(problem);
    await untilConnected(redis);
    return await within(COMMAND_TIMEOUT_MS, call());
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new MillraceError(
      'unavailable',
      `Redis could not ${purpose}: ${reason}. Try again, and check that Redis runs at REDIS_URL.`,
      { cause: error, retryAfterMs: 1_000 },
    );
  }
}

/** Waits for a connection that is being made for the first time; a lost one fails at once, since a caller is waiting. */
async function untilConnected(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return;
  if (redis.status !== 'connecting' && redis.status !== 'connect') throw new Error(`the connection is ${redis.status}`);
  let ready = () => {};
  let lost = () => {};
  try {
    await within(
      COMMAND_TIMEOUT_MS,
      new Promise<void>((resolve, reject) => {
        ready = resolve;
        lost = () => reject(new Error('the connection was refused or lost'));
        redis.once('ready', ready).once('close', lost);
      }),
    );
  } finally {
    redis.off('ready', ready).off('close', lost);
  }
}

async function within<Result>(limitMs: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
