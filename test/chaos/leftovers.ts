import type { Redis } from 'ioredis';
import { redisKeys } from '#queue';
import type { Cluster } from '../support/cluster.ts';
import { lastingKeys } from './lasting-keys.ts';

/** What a run may leave in Redis, by the beginning of the key: nothing of this grows with requests. */
const KEPT = [
  /^millrace:key-version$/,
  /^millrace:v1:card:/,
  /^millrace:v1:\{workers\}:/,
  /^millrace:v1:\{tenancy\}:/,
  /^millrace:v1:\{replicas\}:(all|beat)/,
  /:account$/,
  /:ledger$/,
  /:window$/,
  /:usage:/,
  /:finish-tags$/,
  /:fair-clock$/,
  /:drain$/,
  /^millrace:v1:queue:.*:(meta|events|id|pc|marker|stalled-check)$/,
];

/** Keys that hold something of single requests: there must be none, but those that expire by themselves. */
export async function requestKeysIn(redis: Redis): Promise<string[]> {
  // What is remembered of a request that is over has an end; what is held for a running one has none.
  return (await lastingKeys(redis)).filter((key) => !KEPT.some((pattern) => pattern.test(key)));
}

/** What workers and APIs still hold; empty when all is at rest. */
export async function busyIn(cluster: Cluster, slots: number): Promise<string[]> {
  const busy: string[] = [];
  for (const worker of cluster.workers) {
    const { engine, jobs, consumer, relay, state } = await worker.stats();
    const held = { running: engine.running, waiting: engine.waiting, missing: slots - engine.freeSlots };
    const all = { ...held, jobs: jobs.running, active: consumer.activeJobs, claims: relay.claims };
    for (const [what, count] of Object.entries(all)) if (count !== 0) busy.push(`worker: ${what} ${count}`);
    if (!consumer.consuming) busy.push(`worker: not consuming, ${state}`);
  }
  for (const api of cluster.apis) {
    const text = await (await fetch(`${api.managementUrl}/metrics`)).text();
    const open = /^millrace:relay_open_requests(?:\{.*\})? (\d+)/m.exec(text)?.[1];
    if (open !== '0') busy.push(`api: open requests ${open}`);
  }
  return busy;
}

/** Leases and reservations of requests that nobody has ended. */
export async function heldIn(redis: Redis, tenantId: string): Promise<number> {
  return redis.zcard(redisKeys.leases(tenantId));
}

/** The model's jobs in the queue. */
export async function queuedJobs(redis: Redis, model: string): Promise<number> {
  const { waitJobs, prioritizedJobs, activeJobs } = redisKeys;
  return (
    (await redis.llen(waitJobs(model))) +
    (await redis.zcard(prioritizedJobs(model))) +
    (await redis.llen(activeJobs(model)))
  );
}
