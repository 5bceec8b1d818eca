import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';
import { ASSUMED_SERVICE_MS } from './model-places.ts';

/** How a model's queue stands, for metrics and people. */
export interface QueueOutlook {
  /** Jobs that no worker has taken. */
  readonly waiting: number;
  /** Requests that workers hold, from the queue or because they were offered. */
  readonly active: number;
  /** Requests per second that the slots end; 0 without slots. */
  readonly drainRate: number;
  /** How long a request would wait that came last now. */
  readonly waitMs: number;
  /** Weighted tokens from virtual time to the last tag that any tenant was given; 0 when nobody is ahead. */
  readonly fairnessLagTokens: number;
}

/** Reads only, O(log n), one round trip. @param slots of all workers that serve the model now @throws MillraceError unavailable */
export async function queueOutlook(redis: Redis, model: string, slots: number): Promise<QueueOutlook> {
  const [prioritized, first, fromQueue, offered, meanServiceMs, virtual, last] = await redisCall(
    redis,
    `read the outlook of ${model}`,
    () =>
      Promise.all([
        redis.zcard(redisKeys.prioritizedJobs(model)),
        redis.llen(redisKeys.waitJobs(model)),
        redis.llen(redisKeys.activeJobs(model)),
        // Leases are longer than clocks are apart.
        redis.zcount(redisKeys.offered(model), Date.now(), '+inf'),
        redis.hget(redisKeys.drain(model), 'meanServiceMs'),
        redis.hget(redisKeys.fairClock(model), 'virtual'),
        redis.zrevrange(redisKeys.finishTags(model), 0, 0, 'WITHSCORES'),
      ]),
  );
  const waiting = prioritized + first;
  const active = fromQueue + offered;
  const serviceMs = Number(meanServiceMs ?? ASSUMED_SERVICE_MS);
  const free = Math.max(0, slots - active);
  const waitMs = waiting < free || slots === 0 ? 0 : ((waiting - free + 1) * serviceMs) / slots;
  const lag = waiting === 0 ? 0 : Number(last[1] ?? 0) - Number(virtual ?? 0);
  return { waiting, active, drainRate: (slots * 1_000) / serviceMs, waitMs, fairnessLagTokens: Math.max(0, lag) };
}
