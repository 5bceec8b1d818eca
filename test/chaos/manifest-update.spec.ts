import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { podLifecycle } from '../../tools/deploy/lifecycle/pod-lifecycle.ts';
import { Cluster } from '../support/cluster.ts';
import { freePort } from '../support/free-port.ts';
import { Pod, type PodEnd } from '../support/pod.ts';
import { TEST_KEY } from '../support/product-process.ts';
import { seededRandom } from './seeded-random.ts';
import { Workload } from './workload.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const CLIENTS = 4;
const REPLICAS = 2;

/** What k8s/overlays/production carries, in real time. */
const lifecycles = { api: podLifecycle('api', 'production'), worker: podLifecycle('worker', 'production') };
type App = keyof typeof lifecycles;

let cluster: Cluster;
let workload: Workload;
const pods: Record<App, Pod[]> = { api: [], worker: [] };

const create = async (app: App): Promise<Pod> => {
  const pod = await Pod.create(cluster, app, lifecycles[app], await freePort());
  await pod.ready;
  pods[app].push(pod);
  return pod;
};

beforeAll(async () => {
  const { api, worker } = lifecycles;
  cluster = await Cluster.start({
    modelFolder,
    apis: 0,
    workers: 0,
    api: { MILLRACE_DRAIN_DELAY_MS: String(api.drainDelayMs), MILLRACE_GRACE_MS: String(api.graceMs) },
    worker: {
      MILLRACE_SLOTS: '8',
      MILLRACE_SLOT_TOKENS: '512',
      MILLRACE_THREADS: '1',
      MILLRACE_GRACE_MS: String(worker.graceMs),
    },
  });
  await Promise.all((['api', 'worker'] as const).flatMap((app) => Array.from({ length: REPLICAS }, () => create(app))));
  workload = new Workload(cluster, MODEL, TEST_KEY);
  await workload.learn();
}, 120_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** As the Deployment does it with one pod more and none fewer: it does not wait for the end of a pod that goes. */
async function rollout(app: App): Promise<PodEnd[]> {
  const { preStopMs, drainDelayMs, rollingUpdate } = lifecycles[app];
  expect(rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
  const ends: Promise<PodEnd>[] = [];
  for (const old of [...pods[app]]) {
    await create(app);
    // Clients are sent to it until well into its drain delay.
    ends.push(old.delete(preStopMs + drainDelayMs / 2));
  }
  return Promise.all(ends);
}

describe('a rolling update of API and workers at once, with the probes and times of the manifests', () => {
  it('fails no request and refuses none, kills no process, and has no probe restart one', async () => {
    const over = new AbortController();
    const clients = Array.from({ length: CLIENTS }, (_, client) => workload.client(seededRandom(client), over.signal));
    const ends = (await Promise.all([rollout('api'), rollout('worker')])).flat();
    over.abort();
    await Promise.all(clients);
    process.stdout.write(`update with the manifests' times: ${JSON.stringify({ ...workload.counts, ends })}\n`);
    expect(workload.problems).toEqual([]);
    expect(workload.counts.refused).toBe(0);
    expect(workload.counts.compared).toBeGreaterThan(20);
    expect(ends.map(({ app, exitCode, killed }) => ({ app, exitCode, killed }))).toEqual(
      ['api', 'api', 'worker', 'worker'].map((app) => ({ app, exitCode: 0, killed: false })),
    );
    for (const { app, stopMs } of ends) {
      expect(stopMs).toBeGreaterThanOrEqual(lifecycles[app].preStopMs + lifecycles[app].drainDelayMs);
      expect(stopMs).toBeLessThan(lifecycles[app].terminationGraceMs);
    }
    expect([...pods.api, ...pods.worker].flatMap((pod) => pod.restarts)).toEqual([]);
  }, 180_000);
});
