import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { TEST_KEY } from '../support/product-process.ts';
import { seededRandom } from './seeded-random.ts';
import { Workload } from './workload.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const CLIENTS = 5;
/** How long it takes until nobody is sent to a replica any more that is not ready. */
const BALANCER_LAG_MS = 500;

/** An API that gives its streams no time to end. */
const IMPATIENT = { MILLRACE_DRAIN_DELAY_MS: '0', MILLRACE_GRACE_MS: '1' };

let cluster: Cluster;
let workload: Workload;

beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder,
    apis: 2,
    workers: 2,
    api: { MILLRACE_DRAIN_DELAY_MS: String(4 * BALANCER_LAG_MS) },
    // Far less than an answer takes: most of what runs is handed over.
    worker: { MILLRACE_SLOTS: '8', MILLRACE_SLOT_TOKENS: '512', MILLRACE_THREADS: '1', MILLRACE_GRACE_MS: '50' },
  });
  workload = new Workload(cluster, MODEL, TEST_KEY);
  await workload.learn();
}, 180_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

describe('a rolling update under load', () => {
  it('of all workers and all API replicas fails no request, and refuses none', async () => {
    const over = new AbortController();
    const clients = Array.from({ length: CLIENTS }, (_, client) => workload.client(seededRandom(client), over.signal));
    for (const worker of [...cluster.workers]) {
      await cluster.addWorker();
      cluster.takeOut(worker);
      expect(await worker.stop('SIGTERM'), worker.output.slice(-3_000)).toBe(0);
    }
    for (const api of [...cluster.apis]) {
      await cluster.addApi(IMPATIENT);
      const stopped = api.stop('SIGTERM');
      await expect.poll(async () => (await fetch(`${api.managementUrl}/readyz`)).status).toBe(503);
      // Until the balancer has noticed, requests still come, on connections old and new.
      await sleep(BALANCER_LAG_MS);
      cluster.takeOut(api);
      expect(await stopped, api.output.slice(-3_000)).toBe(0);
    }
    over.abort();
    await Promise.all(clients);
    process.stdout.write(`rolling update: ${JSON.stringify(workload.counts)}\n`);
    expect(workload.problems).toEqual([]);
    expect(workload.counts.refused).toBe(0);
    expect(workload.counts.lost).toBe(0);
    expect(workload.counts.compared).toBeGreaterThan(20);
  }, 180_000);

  it('of API replicas that give their streams no time leaves kept ones to be gone on with elsewhere', async () => {
    const over = new AbortController();
    workload.kept = 1;
    const before = { ...workload.counts };
    const many = Array.from({ length: 3 * CLIENTS }, (_, client) => client);
    const clients = many.map((client) => workload.client(seededRandom(client), over.signal));
    for (let replaced = 0; replaced < 2 || (workload.counts.resumed === before.resumed && replaced < 6); replaced++) {
      const { api } = cluster;
      await cluster.addApi(IMPATIENT);
      cluster.takeOut(api);
      expect(await api.stop('SIGTERM'), api.output.slice(-3_000)).toBe(0);
    }
    over.abort();
    await Promise.all(clients);
    process.stdout.write(`rolling update of impatient replicas: ${JSON.stringify(workload.counts)}\n`);
    expect(workload.problems).toEqual([]);
    expect(workload.counts.lost).toBe(before.lost);
    expect(workload.counts.resumed).toBeGreaterThan(before.resumed);
    expect(workload.counts.compared).toBeGreaterThan(before.compared);
  }, 180_000);
});
