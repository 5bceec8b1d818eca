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
      await cluster.addApi();
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
});
