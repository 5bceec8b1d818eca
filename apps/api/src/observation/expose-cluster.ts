import { queueOutlook } from '#admission';
import { METRICS, type Metrics } from '#observability';
import type { RedisHealth } from '#queue';

type SharedRedis = Parameters<typeof queueOutlook>[0];

export interface ClusterSources {
  readonly redis: SharedRedis;
  readonly health: RedisHealth;
  /** Every model that was ever served. */
  readonly models: () => readonly { readonly model: string; readonly workers: number; readonly slots: number }[];
}

const MS_PER_SECOND = 1_000;

/** What all replicas see alike: the models' queues, and Redis. It is asked for when somebody scrapes. */
export function exposeCluster(metrics: Metrics, { redis, health, models }: ClusterSources): void {
  const waiting = metrics.family(METRICS.numRequestsWaiting);
  const active = metrics.family(METRICS.queueActiveJobs);
  const workersReady = metrics.family(METRICS.workersReady);
  const slotsReady = metrics.family(METRICS.slotsReady);
  const estimatedWait = metrics.family(METRICS.queueEstimatedWait);
  const drainRate = metrics.family(METRICS.queueDrainRate);
  const fairnessLag = metrics.family(METRICS.fairnessLag);
  metrics.beforeScrape('queues', async () => {
    await Promise.all(
      models().map(async ({ model, workers, slots }) => {
        const labels = { model_name: model };
        workersReady.child(labels).set(workers);
        slotsReady.child(labels).set(slots);
        const outlook = await queueOutlook(redis, model, slots);
        waiting.child(labels).set(outlook.waiting);
        active.child(labels).set(outlook.active);
        estimatedWait.child(labels).set(outlook.waitMs / MS_PER_SECOND);
        drainRate.child(labels).set(outlook.drainRate);
        fairnessLag.child(labels).set(outlook.fairnessLagTokens);
      }),
    );
  });

  const used = metrics.family(METRICS.redisMemoryUsed).child({});
  const limit = metrics.family(METRICS.redisMemoryLimit).child({});
  metrics.beforeScrape('redis memory', async () => {
    const { usedBytes, limitBytes } = await health.memory();
    used.set(usedBytes);
    limit.set(limitBytes);
  });
}
