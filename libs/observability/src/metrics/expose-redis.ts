import { METRICS } from './metric-names.ts';
import type { Metrics } from './metrics.ts';

const MS_PER_SECOND = 1_000;

/** @param pingMs null when Redis does not answer */
export function exposeRedis(metrics: Metrics, pingMs: () => Promise<number | null>, reconnects: () => number): void {
  const up = metrics.family(METRICS.redisUp).child({});
  const latency = metrics.family(METRICS.redisLatency).child({});
  metrics.beforeScrape('redis', async () => {
    const ms = await pingMs();
    up.set(ms === null ? 0 : 1);
    if (ms !== null) latency.set(ms / MS_PER_SECOND);
  });
  metrics.read(METRICS.redisReconnects, () => [{ labels: {}, value: reconnects() }]);
}
