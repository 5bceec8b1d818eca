import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { KeyStore, microcreditsOf, TenantAccount, TenantStore } from '#admission';
import { lastingRedisBytes } from '../../test/chaos/footprint.ts';
import { lastingKeys } from '../../test/chaos/lasting-keys.ts';
import { LedgerAudit } from '../../test/chaos/ledger-audit.ts';
import { busyIn, requestKeysIn } from '../../test/chaos/leftovers.ts';
import { seededRandom } from '../../test/chaos/seeded-random.ts';
import { Workload } from '../../test/chaos/workload.ts';
import { Cluster } from '../../test/support/cluster.ts';
import { INSPECTABLE, usedHeapBytes } from '../../test/support/inspector.ts';
import { median } from '../report/statistics.ts';
import { limitRow, type Row, ratioRow } from '../report/suite-report.ts';

const MODEL = 'tiny-llama';
const TENANT = 'soak';
const SLOTS = 16;
const LOAD = 0.8;
const RUN_MS = 31 * 60_000;
const QUICK_MS = 60_000;
const CALIBRATE_MS = 20_000;
const CALIBRATE_CLIENTS = 6;
/** Arrivals above this many open requests are left out: a machine that others slow down shall not build up a queue. */
const MOST_OPEN = 24;
const SAMPLES = 60;
const MEBIBYTE = 1024 * 1024;
/** Of what is there after the first fifth of the run. */
const FLAT = 1.1;

interface Sample {
  /** By process or server, in MiB. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly lastingKeys: number;
}

/**
 * Whether anything grows: a cluster of two APIs and two workers on a fixture model under the load of all kinds of requests of
 * the chaos suite, at 80 % of what it did in a closed loop just before.
 */
export async function soakSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const runMs = quick ? QUICK_MS : RUN_MS;
  await using cluster = await Cluster.start({
    modelFolder: fileURLToPath(new URL(`../../test/fixtures/models/${MODEL}`, import.meta.url)),
    apis: 2,
    workers: 2,
    redis: { append: true, fsync: 'everysec' },
    // What is kept for clients that come back has an end within the run, so that it comes and goes as well.
    api: { ...INSPECTABLE, MILLRACE_ANSWER_KEPT_MS: '60000' },
    worker: { ...INSPECTABLE, MILLRACE_SLOTS: String(SLOTS), MILLRACE_SLOT_TOKENS: '512', MILLRACE_THREADS: '1' },
  });
  const redis = new Redis(cluster.redisUrl);
  using _ = { [Symbol.dispose]: () => redis.disconnect() };
  await new TenantStore(redis).put({ id: TENANT, credits: 'metered' });
  await new TenantAccount(redis, TENANT).grant('all', microcreditsOf(1_000_000));
  const { key } = await new KeyStore(redis).create({ tenantId: TENANT });
  using audit = new LedgerAudit(redis, TENANT);
  const workload = new Workload(cluster, MODEL, key);
  await workload.learn();

  const random = seededRandom(1);
  const perSecond = LOAD * (await capacityOf(workload));
  const open = new Set<Promise<void>>();
  const samples: Sample[] = [];
  const beganMs = performance.now();
  const answeredBefore = workload.counts.compared + workload.counts.abandoned;
  let left = 0;
  const sampling = (async () => {
    for (let count = 1; count <= SAMPLES; count++) {
      await sleep(Math.max(0, beganMs + (count * runMs) / SAMPLES - performance.now()));
      samples.push(await sampleOf(cluster, redis));
    }
  })();
  while (performance.now() - beganMs < runMs) {
    await sleep((-Math.log(1 - random()) / perSecond) * 1_000);
    if (open.size >= MOST_OPEN) {
      left += 1;
      continue;
    }
    const request = workload.once(random).finally(() => open.delete(request));
    open.add(request);
  }
  await Promise.all(open);
  await sampling;
  const answered = workload.counts.compared + workload.counts.abandoned - answeredBefore;
  console.error(
    `${answered} requests in ${Math.round(runMs / 1_000)} s, asked for ${perSecond.toFixed(2)}/s; ${left} arrivals left out`,
  );
  await sleep(5_000);
  const wrong = await audit.problems(workload.completed, workload.begun);
  for (const problem of wrong.slice(0, 20)) console.error(problem);
  return [
    ...growthRows(samples),
    limitRow('answers that differ from the first ones, or failed', workload.problems.length, 'answers', 0),
    limitRow('requests settled wrongly, twice or not at all', wrong.length, 'requests', 0),
    limitRow('keys of requests that stay in Redis', (await requestKeysIn(redis)).length, 'keys', 0),
    limitRow('slots, claims, jobs and streams still held', (await busyIn(cluster, SLOTS)).length, 'of them', 0),
    { ...limitRow('requests', answered, 'requests', Number.POSITIVE_INFINITY), target: null, holds: null },
  ];
}

async function capacityOf(workload: Workload): Promise<number> {
  const over = AbortSignal.timeout(CALIBRATE_MS);
  const { counts } = workload;
  const before = counts.compared + counts.abandoned;
  const beganMs = performance.now();
  await Promise.all(
    Array.from({ length: CALIBRATE_CLIENTS }, (_, client) => workload.client(seededRandom(100 + client), over)),
  );
  return (counts.compared + counts.abandoned - before) / ((performance.now() - beganMs) / 1_000);
}

async function sampleOf(cluster: Cluster, redis: Redis): Promise<Sample> {
  const sizes: Record<string, number> = {};
  for (const [kind, members] of [
    ['API', cluster.apis],
    ['worker', cluster.workers],
  ] as const) {
    for (const [index, member] of members.entries()) {
      sizes[`${kind} ${index + 1}, heap in use`] = (await usedHeapBytes(member)) / MEBIBYTE;
      sizes[`${kind} ${index + 1}, resident`] = residentBytes(member.child.pid) / MEBIBYTE;
    }
  }
  sizes['Redis, data that never expires, without ledger and events'] = (await lastingRedisBytes(redis)) / MEBIBYTE;
  return { sizes, lastingKeys: (await lastingKeys(redis)).length };
}

function residentBytes(pid: number | undefined): number {
  const kibibytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) * 1024;
}

/** The median of the last fifth against that of the second one: the first fifth warms up. */
function growthRows(samples: readonly Sample[]): Row[] {
  const fifth = Math.floor(samples.length / 5);
  const early = samples.slice(fifth, 2 * fifth);
  const late = samples.slice(-fifth);
  const peer = 'the second fifth of the run';
  const rows = Object.keys(samples[0]?.sizes ?? {}).map((name) => {
    const of = (part: readonly Sample[]) => median(part.map(({ sizes }) => sizes[name] ?? Number.NaN));
    return ratioRow(name, of(late), 'MiB', peer, of(early), FLAT);
  });
  const keys = (part: readonly Sample[]) => median(part.map(({ lastingKeys }) => lastingKeys));
  return [...rows, ratioRow('Redis, keys that never expire', keys(late), 'keys', peer, keys(early), FLAT)];
}
