import { readdirSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { LedgerReader, TenantAccount } from '#admission';
import { redisKeys } from '#queue';
import type { Cluster } from '../support/cluster.ts';

/** What a run may leave in Redis, by the beginning of the key: nothing of this grows with requests. */
const KEPT = [
  /^millrace:v1:card:/,
  /^millrace:v1:\{workers\}:/,
  /^millrace:v1:\{tenancy\}:/,
  /^millrace:v1:\{replicas\}:/,
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
  const left: string[] = [];
  for (const key of await redis.keys('*')) {
    if (KEPT.some((pattern) => pattern.test(key))) continue;
    // What is remembered of a request that is over has an end; what is held for a running one has none.
    if ((await redis.pttl(key)) < 0) left.push(key);
  }
  return left;
}

/** What workers and APIs still hold; empty when all is at rest. */
export async function busyIn(cluster: Cluster, slots: number): Promise<string[]> {
  const busy: string[] = [];
  for (const worker of cluster.workers) {
    const { engine, jobs, consumer, relay } = await worker.stats();
    const held = { running: engine.running, waiting: engine.waiting, missing: slots - engine.freeSlots };
    const all = { ...held, jobs: jobs.running, active: consumer.activeJobs, claims: relay.claims };
    for (const [what, count] of Object.entries(all)) if (count !== 0) busy.push(`worker: ${what} ${count}`);
    if (!consumer.consuming) busy.push('worker: not consuming');
  }
  for (const api of cluster.apis) {
    const text = await (await fetch(`${api.managementUrl}/metrics`)).text();
    const open = /^millrace:relay_open_requests(?:\{.*\})? (\d+)/m.exec(text)?.[1];
    if (open !== '0') busy.push(`api: open requests ${open}`);
  }
  return busy;
}

/** Everything of the ledger that is not as it must be after the completed requests. */
export async function ledgerProblems(
  redis: Redis,
  tenantId: string,
  completed: ReadonlyMap<string, number>,
): Promise<string[]> {
  const problems: string[] = [];
  const { granted, balance, held, spent } = await new TenantAccount(redis, tenantId).sums();
  if (held !== 0) problems.push(`${held} microcredits are still held`);
  if (held + spent !== granted - balance) problems.push(`held ${held} + spent ${spent} ≠ ${granted} − ${balance}`);
  const entries = await new LedgerReader(redis, 'chaos', 'chaos').read(tenantId, 1_000_000);
  const usage = entries.filter(({ kind }) => kind === 'usage');
  const seen = new Map<string, number>();
  for (const { requestId, completionTokens, outcome } of usage) {
    if (seen.has(requestId)) problems.push(`request ${requestId} was settled twice`);
    seen.set(requestId, completionTokens);
    const tokens = completed.get(requestId);
    if (tokens !== undefined && outcome !== 'completed')
      problems.push(`request ${requestId} was settled as ${outcome}`);
  }
  for (const [requestId, tokens] of completed) {
    const settled = seen.get(requestId);
    if (settled !== tokens) problems.push(`request ${requestId}: ${tokens} tokens delivered, ${settled} settled`);
  }
  return problems;
}

/** Open files and sockets of a process; Linux only. */
export function openFiles(pid: number | undefined): number {
  return readdirSync(`/proc/${pid}/fd`).length;
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
