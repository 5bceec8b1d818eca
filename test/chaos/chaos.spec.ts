import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyStore, microcreditsOf, TenantAccount, TenantStore } from '#admission';
import { Cluster } from '../support/cluster.ts';
import { INSPECTABLE } from '../support/inspector.ts';
import { FAULTS, replaceEnded } from './faults.ts';
import { type Footprint, footprintOf, lastingRedisBytes } from './footprint.ts';
import { LedgerAudit } from './ledger-audit.ts';
import { busyIn, heldIn, queuedJobs, requestKeysIn } from './leftovers.ts';
import { injectFaults, planFaults } from './schedule.ts';
import { seededRandom } from './seeded-random.ts';
import { Workload } from './workload.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));

const SEED = Number(process.env.MILLRACE_CHAOS_SEED ?? 7);
/** 0: until every kind of fault was done once; more: goes on for so long after that. */
const DURATION_MS = Number(process.env.MILLRACE_CHAOS_SECONDS ?? 0) * 1_000;
const LONGEST_HOLD_MS = Number(process.env.MILLRACE_CHAOS_HOLD_MS ?? 2_200);
const CLIENTS = Number(process.env.MILLRACE_CHAOS_CLIENTS ?? 6);
/** Where everything that the processes said is written to. */
const LOG_FILE = process.env.MILLRACE_CHAOS_LOG;
const LIMIT_MS = DURATION_MS + 400_000;
/** Of a long run: what is to be shown by it. */
const LONG_RUN = { seconds: 600, requests: 2_000, faults: 30 };
const SLOTS = 16;
const TENANT = 'chaos';
/** How long leases of a killed replica live on, and kept answers without a client. */
const LEASE_MS = 6_000;
const AT_REST = { timeout: 90_000, interval: 500 };
/** Of what a process holds after its load against before it. */
const MOST_GROWTH = 1.1;
/** Caches and compiled code that come with the first faults, not with each. */
const FIRST_FAULTS_BYTES = 6 * 1024 * 1024;
/** What comes and goes by itself: connections to members that were replaced, redials. */
const FEW = 20;

let cluster: Cluster;
let redis: Redis;
let workload: Workload;

const report = (line: string) => process.stdout.write(`chaos ${line}\n`);

beforeAll(async () => {
  report(`seed ${SEED} (MILLRACE_CHAOS_SEED)`);
  cluster = await Cluster.start({
    modelFolder,
    apis: 0,
    workers: 3,
    redis: { append: true, fsync: 'everysec' },
    faultProxies: true,
    api: {
      ...INSPECTABLE,
      MILLRACE_FAILOVER_ATTEMPTS: '8',
      MILLRACE_LEASE_MS: String(LEASE_MS),
      MILLRACE_DETACHED_MS: String(LEASE_MS),
      MILLRACE_GRACE_MS: '10000',
    },
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
  // Both ways of a job to its worker: this replica, which lives through the run, queues all, and those that come and go make offers.
  await cluster.addApi({ MILLRACE_OFFERS: 'false' });
  await cluster.addApi();
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
  if (LOG_FILE !== undefined && cluster !== undefined) {
    await writeFile(LOG_FILE, cluster.output('api') + cluster.output('worker'));
  }
  await cluster?.[Symbol.asyncDispose]();
});

/** Waits until nobody holds anything, and fails saying who does. */
async function untilAtRest(): Promise<void> {
  await replaceEnded(cluster);
  await expect.poll(() => busyIn(cluster, SLOTS), AT_REST).toEqual([]);
  await expect.poll(() => queuedJobs(redis, MODEL), AT_REST).toBe(0);
  await expect.poll(() => heldIn(redis, TENANT), AT_REST).toBe(0);
  await expect.poll(() => requestKeysIn(redis), AT_REST).toEqual([]);
}

/** The members that no fault ends: the same processes from the first request to the last. */
const lasting = () => [cluster.apis[0]!, cluster.workers[0]!];

interface Levels {
  readonly members: readonly Footprint[];
  readonly redisBytes: number;
}

const levels = async (): Promise<Levels> => ({
  members: await Promise.all(lasting().map(footprintOf)),
  redisBytes: await lastingRedisBytes(redis),
});

function expectNoGrowth(before: Levels, after: Levels, slackBytes: number): void {
  for (const [index, { app }] of lasting().entries()) {
    const [had, has] = [before.members[index]!, after.members[index]!];
    report(`${app}: ${JSON.stringify(had)} → ${JSON.stringify(has)}`);
    expect(has.heapBytes, `${app}: bytes in use`).toBeLessThan(had.heapBytes * MOST_GROWTH + slackBytes);
    expect(has.timers, `${app}: timers`).toBeLessThan(had.timers + FEW);
    expect(has.files, `${app}: open files`).toBeLessThan(had.files + FEW);
  }
  report(`Redis, without ledger, events and what expires: ${before.redisBytes} → ${after.redisBytes} bytes`);
  expect(after.redisBytes).toBeLessThan(before.redisBytes * MOST_GROWTH + slackBytes / 100);
}

describe('a cluster under load to which one thing after another happens', () => {
  it(
    'answers every request as if nothing had, settles each once, and keeps nothing',
    async () => {
      using audit = new LedgerAudit(redis, TENANT);
      const plan = planFaults(SEED, LONGEST_HOLD_MS);
      const kinds = Object.keys(FAULTS);
      const counts: Record<string, number> = {};
      /** Steady load and faults until it is time, then everything comes to rest. */
      const disturb = async (clientSeed: number, isTime: (done: Readonly<Record<string, number>>) => boolean) => {
        const over = new AbortController();
        const clients = Array.from({ length: CLIENTS }, (_, client) =>
          workload.client(seededRandom(clientSeed + client), over.signal),
        );
        const done = await injectFaults(plan, { cluster, model: MODEL }, isTime, report).finally(() => over.abort());
        await Promise.all(clients);
        for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + (done[kind] ?? 0);
        await untilAtRest();
      };

      const first = await levels();
      await disturb(SEED + 1, (done) => kinds.every((kind) => (done[kind] ?? 0) > 0));
      expectNoGrowth(first, await levels(), FIRST_FAULTS_BYTES);
      if (DURATION_MS > 0) {
        const warm = await levels();
        const untilMs = performance.now() + DURATION_MS;
        await disturb(SEED + 1_001, () => performance.now() > untilMs);
        const after = await levels();
        expectNoGrowth(warm, after, 0);
        for (const [index, { app }] of lasting().entries()) {
          const [had, has] = [warm.members[index]!.residentBytes, after.members[index]!.residentBytes];
          expect(has, `${app}: resident bytes`).toBeLessThan(had * MOST_GROWTH);
        }
      }

      const faults = Object.values(counts).reduce((sum, count) => sum + count, 0);
      report(JSON.stringify({ ...workload.counts, faults, kinds: kinds.length }));
      expect(workload.problems).toEqual([]);
      expect(await audit.problems(workload.completed, workload.begun)).toEqual([]);
      if (DURATION_MS >= LONG_RUN.seconds * 1_000) {
        expect(workload.counts.compared).toBeGreaterThanOrEqual(LONG_RUN.requests);
        expect(faults).toBeGreaterThanOrEqual(LONG_RUN.faults);
      }
    },
    LIMIT_MS,
  );
});
