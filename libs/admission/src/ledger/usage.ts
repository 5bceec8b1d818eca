import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';
import { creditsOf } from '../credits/credits.ts';

/** What one tenant used of one model on one UTC day. */
export interface DayUsage {
  /** YYYY-MM-DD */
  readonly day: string;
  readonly model: string;
  readonly requests: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly credits: number;
}

const DAY_MS = 24 * 3_600_000;

/**
 * Usage by day and model, kept for 400 days.
 * @param fromMs and `toMs`: Unix times in ms within the first and the last day wanted
 * @throws MillraceError unavailable
 */
export async function usageOf(redis: Redis, tenantId: string, fromMs: number, toMs: number): Promise<DayUsage[]> {
  const days: string[] = [];
  for (let dayMs = fromMs - (fromMs % DAY_MS); dayMs <= toMs; dayMs += DAY_MS) {
    days.push(new Date(dayMs).toISOString().slice(0, 10));
  }
  const hashes = await redisCall(redis, `read the usage of ${tenantId}`, () =>
    Promise.all(days.map((day) => redis.hgetall(redisKeys.usage(tenantId, day)))),
  );
  return days.flatMap((day, index) => usageOfDay(day, hashes[index] ?? {}));
}

function usageOfDay(day: string, counts: Readonly<Record<string, string>>): DayUsage[] {
  const models = Object.keys(counts).flatMap((field) => (field.startsWith('requests:') ? [field.slice(9)] : []));
  return models.sort().map((model) => {
    const count = (kind: string) => Number(counts[`${kind}:${model}`] ?? 0);
    return {
      day,
      model,
      requests: count('requests'),
      promptTokens: count('promptTokens'),
      cachedTokens: count('cachedTokens'),
      completionTokens: count('completionTokens'),
      credits: creditsOf(count('microcredits')),
    };
  });
}
