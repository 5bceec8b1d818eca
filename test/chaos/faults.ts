import { Redis } from 'ioredis';
import { redisKeys } from '#queue';
import type { Cluster } from '../support/cluster.ts';
import { evaluate, inEngineThread } from '../support/inspector.ts';
import type { ProductProcess } from '../support/product-process.ts';
import { pick } from './seeded-random.ts';

/** What a fault can be done to; `random` is the schedule's, so that the same seed hits the same members. */
export interface FaultScene {
  readonly cluster: Cluster;
  readonly model: string;
  readonly random: () => number;
}

/** Begins the fault. @returns how it ends, so that the cluster is whole again; called after `holdMs` */
export type Fault = (scene: FaultScene) => Promise<() => Promise<void>>;

const anyWorker = ({ cluster, random }: FaultScene): ProductProcess => pick(cluster.workers, random);
/** The first of a kind is never ended, so that what it holds can be compared over the whole run. */
const endable = (members: readonly ProductProcess[], random: () => number) => pick(members.slice(1), random);
const anyRelay = ({ cluster, random }: FaultScene) => cluster.relayProxyOf(pick(cluster.apis, random));
const anyLink = (random: () => number) => (links: number) => Math.floor(random() * links);
const anyMember = ({ cluster, random }: FaultScene) => pick([...cluster.workers, ...cluster.apis], random);
const nothing = async () => {};

/** Ends a worker, and starts another one when the fault ends. */
async function replaceWorker(scene: FaultScene, end: (worker: ProductProcess) => Promise<void>) {
  const worker = endable(scene.cluster.workers, scene.random);
  scene.cluster.takeOut(worker);
  await end(worker);
  return async () => void (await scene.cluster.addWorker());
}

/** The same with an API replica. */
async function replaceApi(scene: FaultScene, end: (api: ProductProcess) => Promise<void>) {
  const api = endable(scene.cluster.apis, scene.random);
  scene.cluster.takeOut(api);
  await end(api);
  return async () => void (await scene.cluster.addApi());
}

const drained = async (member: ProductProcess) => {
  const code = await member.stop('SIGTERM');
  if (code !== 0) throw new Error(`the ${member.app} that drained ended with ${code}:\n${member.output.slice(-3_000)}`);
};

async function inAnyEngine({ cluster, random }: FaultScene, expression: string) {
  await inEngineThread(endable(cluster.workers, random), expression);
  return nothing;
}

/**
 * Starts another worker for each that has ended because it lost too many engine threads, as a supervisor does.
 * @throws Error when one has ended for any other reason
 */
export async function replaceEnded(cluster: Cluster): Promise<void> {
  for (const worker of cluster.workers.filter(({ running }) => !running)) {
    if (!worker.output.includes('threads were lost within')) {
      throw new Error(`a worker has ended by itself:\n${worker.output.slice(-3_000)}`);
    }
    cluster.takeOut(worker);
    await cluster.addWorker();
  }
}

/** Jobs that workers hold, by the queue's own list. */
async function withActiveJobs(
  { cluster, model, random }: FaultScene,
  act: (redis: Redis, jobIds: string[], keyOf: (name: string) => string) => Promise<void>,
) {
  const redis = new Redis(cluster.redisUrl);
  try {
    const keyOf = (name: string) => `${redisKeys.queuePrefix}:${redisKeys.queueName(model)}:${name}`;
    const jobIds = await redis.lrange(redisKeys.activeJobs(model), 0, -1);
    if (jobIds.length > 0) await act(redis, [pick(jobIds, random)], keyOf);
  } finally {
    redis.disconnect();
  }
  return nothing;
}

/** Every kind of fault by its name. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  'worker killed': (scene) => replaceWorker(scene, async (worker) => void (await worker.stop('SIGKILL'))),

  'worker drained': (scene) => replaceWorker(scene, drained),

  'API killed': (scene) => replaceApi(scene, async (api) => void (await api.stop('SIGKILL'))),

  'API drained': (scene) => replaceApi(scene, drained),

  'worker frozen': async (scene) => {
    const worker = anyWorker(scene);
    worker.freeze();
    return async () => worker.thaw();
  },

  'engine thread crashed': (scene) => inAnyEngine(scene, 'process.exit(7)'),

  'engine thread hangs': (scene) => inAnyEngine(scene, 'for (;;);'),

  'relay unreachable': async (scene) => {
    const proxy = anyRelay(scene);
    proxy.refuse();
    return async () => proxy.heal();
  },

  'relay link reset': async (scene) => {
    anyRelay(scene).resetOne(anyLink(scene.random));
    return nothing;
  },

  'worker not heard by the API': async (scene) => {
    const proxy = anyRelay(scene);
    proxy.holdOne(anyLink(scene.random), 'in');
    return async () => proxy.heal();
  },

  'API not heard by its workers': async (scene) => {
    const proxy = anyRelay(scene);
    proxy.hold('out');
    return async () => proxy.heal();
  },

  'relay slow': async (scene) => {
    const proxy = anyRelay(scene);
    proxy.slow({ delayMs: 40, bytesPerSecond: 60_000 });
    return async () => proxy.heal();
  },

  'Redis killed': async ({ cluster }) => {
    await cluster.redis.kill();
    return () => cluster.redis.restart();
  },

  'Redis frozen': async ({ cluster }) => {
    cluster.redis.freeze();
    return async () => cluster.redis.thaw();
  },

  'Redis links reset': async ({ cluster }) => {
    cluster.redisProxy?.reset();
    return nothing;
  },

  'Redis slow': async ({ cluster }) => {
    cluster.redisProxy?.slow({ delayMs: 50 });
    return async () => cluster.redisProxy?.heal();
  },

  'a Redis link forgotten': async ({ cluster, random }) => {
    cluster.redisProxy?.holdOne(anyLink(random));
    return async () => cluster.redisProxy?.heal();
  },

  'job delivered twice': (scene) =>
    withActiveJobs(scene, async (redis, [jobId], keyOf) => {
      // As BullMQ does with a job that it takes for stalled.
      await redis.rpush(redisKeys.waitJobs(scene.model), jobId ?? '');
      await redis.zadd(keyOf('marker'), 0, '0');
    }),

  'job lock lost': (scene) =>
    withActiveJobs(scene, async (redis, [jobId], keyOf) => {
      await redis.del(keyOf(`${jobId}:lock`));
    }),

  'clock an hour ahead': async (scene) => {
    const member = anyMember(scene);
    await evaluate(member, 'globalThis.realNow = Date.now; Date.now = () => realNow() + 3600000; 1');
    return async () => void (await evaluate(member, 'Date.now = realNow; 1'));
  },

  'clock an hour behind': async (scene) => {
    const member = anyMember(scene);
    await evaluate(member, 'globalThis.realNow = Date.now; Date.now = () => realNow() - 3600000; 1');
    return async () => void (await evaluate(member, 'Date.now = realNow; 1'));
  },
};
