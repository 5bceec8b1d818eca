import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';
import { creditsOf } from '../credits/credits.ts';

/** What one tenant used of one model on one UTC day, with all of its keys or with one. */
export interface DayUsage {
  readonly tenantId: string;
  /** YYYY-MM-DD */
  readonly day: string;
  readonly model: string;
  /** Null for all keys together. */
  readonly keyId: string | null;
  readonly requests: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly credits: number;
}

export type UsageGrouping = 'model' | 'key';

const DAY_MS = 24 * 3_600_000;

/**
 * Usage by day and model, or by day, key and model, kept for 400 days.
 * @param fromMs and `toMs`: Unix times in ms within the first and the last day wanted
 * @throws MillraceError unavailable
 */
export async function usageOf(
  redis: Redis,
  tenantId: string,
  fromMs: number,
  toMs: number,
  by: UsageGrouping = 'model',
): Promise<DayUsage[]> {
  const days: string[] = [];
  for (let dayMs = fromMs - (fromMs % DAY_MS); dayMs <= toMs; dayMs += DAY_MS) {
    days.push(new Date(dayMs).toISOString().slice(0, 10));
  }
  const hashes = await redisCall(redis, `read the usage of ${tenantId}`, () =>
    Promise.all(days.map((day) => redis.hgetall(redisKeys.usage(tenantId, day)))),
  );
  return days.flatMap((day, index) => usageOfDay(tenantId, day, hashes[index] ?? {}, by));
}

/** `requests:<model>`, or `key:<key id>:requests:<model>`; models' names may have colons, key ids have none. */
const COUNTED: Readonly<Record<UsageGrouping, RegExp>> = {
  model: /^(?<before>)requests:(?<model>.*)$/s,
  key: /^(?<before>key:(?<keyId>[^:]*):)requests:(?<model>.*)$/s,
};

function usageOfDay(
  tenantId: string,
  day: string,
  counts: Readonly<Record<string, string>>,
  by: UsageGrouping,
): DayUsage[] {
  const fields = Object.keys(counts).sort();
  return fields.flatMap((field) => {
    const groups = COUNTED[by].exec(field)?.groups;
    if (groups === undefined) return [];
    const { before = '', keyId = null, model = '' } = groups;
    const count = (kind: string) => Number(counts[`${before}${kind}:${model}`] ?? 0);
    return {
      tenantId,
      day,
      model,
      keyId,
      requests: count('requests'),
      promptTokens: count('promptTokens'),
      cachedTokens: count('cachedTokens'),
      completionTokens: count('completionTokens'),
      credits: creditsOf(count('microcredits')),
    };
  });
}
