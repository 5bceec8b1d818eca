import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyStore, microcreditsOf, TenantAccount, TenantStore } from '#admission';
import { Cluster } from '../support/cluster.ts';
import { INSPECTABLE, usedHeapBytes } from '../support/inspector.ts';
import type { ProductProcess } from '../support/product-process.ts';
import { FAULTS } from './faults.ts';
import { busyIn, ledgerProblems, openFiles, queuedJobs, requestKeysIn } from './leftovers.ts';
import { injectFaults, planFaults } from './schedule.ts';
import { seededRandom } from './seeded-random.ts';
import { Workload } from './workload.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));

const SEED = Number(process.env.MILLRACE_CHAOS_SEED ?? 7);
/** 0: until every kind of fault was done once. */
const DURATION_MS = Number(process.env.MILLRACE_CHAOS_SECONDS ?? 0) * 1_000;
const LONGEST_HOLD_MS = Number(process.env.MILLRACE_CHAOS_HOLD_MS ?? 2_200);
const CLIENTS = Number(process.env.MILLRACE_CHAOS_CLIENTS ?? 6);
const LIMIT_MS = DURATION_MS + 300_000;
const SLOTS = 16;
const TENANT = 'chaos';
/** Of what a process holds after its load against before it. */
const MOST_GROWTH = 1.1;
/** Caches and compiled code that come with the first faults, not with each. */
const GROWTH_BYTES = 6 * 1024 * 1024;

let cluster: Cluster;
let redis: Redis;
let workload: Workload;

const report = (line: string) => process.stdout.write(`chaos ${line}\n`);

beforeAll(async () => {
  report(`seed ${SEED} (MILLRACE_CHAOS_SEED)`);
  cluster = await Cluster.start({
    modelFolder,
    apis: 2,
    workers: 3,
    redis: { append: true, fsync: 'everysec' },
    faultProxies: true,
    api: { ...INSPECTABLE, MILLRACE_FAILOVER_ATTEMPTS: '8' },
    worker: {
      ...INSPECTABLE,
      MILLRACE_SLOTS: String(SLOTS),
      MILLRACE_SLOT_TOKENS: '512',
      MILLRACE_THREADS: '1',
      MILLRACE_GRACE_MS: '300',
      MILLRACE_JOB_LOCK_MS: '3000',
      MILLRACE_STEP_LIMIT_MS: '1500',
    },
  });
  redis = new Redis(cluster.redisUrl);
  redis.on('error', () => {});
  await new TenantStore(redis).put({ id: TENANT, credits: 'metered' });
  await new TenantAccount(redis, TENANT).grant('all', microcreditsOf(1_000_000));
  const { key } = await new KeyStore(redis).create({ tenantId: TENANT });
  workload = new Workload(cluster, MODEL, key);
  await workload.learn();
}, 180_000);
afterAll(async () => {
  redis?.disconnect();
  await cluster?.[Symbol.asyncDispose]();
});

const footprint = async (api: ProductProcess) => ({
  heapBytes: await usedHeapBytes(api),
  files: process.platform === 'linux' ? openFiles(api.child.pid) : 0,
});

describe('a cluster under load to which one thing after another happens', () => {
  it(
    'answers every request as if nothing had, settles each once, and keeps nothing',
    async () => {
      const over = new AbortController();
      const clients = Array.from({ length: CLIENTS }, (_, client) =>
        workload.client(seededRandom(SEED + 1 + client), over.signal),
      );
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      const before = await Promise.all(cluster.apis.map(footprint));
      const untilMs = performance.now() + DURATION_MS;
      const kinds = Object.keys(FAULTS);
      const done = await injectFaults(
        planFaults(SEED, LONGEST_HOLD_MS),
        { cluster, model: MODEL },
        (counts) => performance.now() > untilMs && kinds.every((kind) => (counts[kind] ?? 0) > 0),
        report,
      );
      over.abort();
      await Promise.all(clients);
      report(
        JSON.stringify({ ...workload.counts, faults: Object.values(done).reduce((sum, count) => sum + count, 0) }),
      );

      expect(workload.problems).toEqual([]);
      await expect.poll(() => busyIn(cluster, SLOTS), { timeout: 30_000, interval: 500 }).toEqual([]);
      await expect.poll(() => queuedJobs(redis, MODEL), { timeout: 30_000, interval: 500 }).toBe(0);
      await expect.poll(() => requestKeysIn(redis), { timeout: 30_000, interval: 500 }).toEqual([]);
      expect(await ledgerProblems(redis, TENANT, workload.completed)).toEqual([]);
      for (const [index, api] of cluster.apis.entries()) {
        const { heapBytes, files } = await footprint(api);
        report(`api ${index + 1}: ${before[index]?.heapBytes} → ${heapBytes} bytes, ${files} open files`);
        expect(heapBytes).toBeLessThan((before[index]?.heapBytes ?? 0) * MOST_GROWTH + GROWTH_BYTES);
        expect(files).toBeLessThan((before[index]?.files ?? 0) + 20);
      }
    },
    LIMIT_MS,
  );
});
