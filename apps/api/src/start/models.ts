import { CardStore, WorkerDirectory } from '#queue';
import { ModelCatalogue } from '../catalogue/model-catalogue.ts';
import { CompileChecker } from '../constraints/compile-checker.ts';
import { ModelQueues } from '../generate/model-queues.ts';
import { exposeCluster } from '../observation/expose-cluster.ts';
import { RenderPool } from '../rendering/render-pool.ts';
import type { ApiBase } from './api-base.ts';

/** Compiling holds up a worker's other answers once per schema: what takes longer is refused. */
const COMPILE_LIMIT_MS = 2_000;

/** The models that live workers serve, and what makes a request of theirs: prompts, grammars, queues. */
export interface Models {
  readonly directory: WorkerDirectory;
  readonly catalogue: ModelCatalogue;
  readonly queues: ModelQueues;
  readonly prompts: RenderPool;
  readonly constraints: CompileChecker;
}

export async function openModels(base: ApiBase, opened: AsyncDisposableStack): Promise<Models> {
  const { redis, logger, metrics, redisHealth } = base;
  const queues: ModelQueues = new ModelQueues(redis, (model) => catalogue.jobVersionOf(model));
  opened.defer(() => queues.close());
  const prompts = new RenderPool();
  prompts.start();
  opened.defer(() => prompts.close());
  const constraints = new CompileChecker({ limitMs: COMPILE_LIMIT_MS });
  opened.defer(() => constraints.close());
  const directory = new WorkerDirectory(redis);
  const catalogue = new ModelCatalogue({ directory, cards: new CardStore(redis), queues }, prompts, logger);
  opened.defer(() => catalogue.close());
  await catalogue.start();
  exposeCluster(metrics, {
    redis,
    health: redisHealth,
    models: () =>
      catalogue
        .known()
        .map(({ card, liveWorkers, liveSlots }) => ({ model: card.model, workers: liveWorkers, slots: liveSlots })),
  });
  return { directory, catalogue, queues, prompts, constraints };
}
