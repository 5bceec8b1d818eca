import { ModelQueue } from '#queue';
import type { QueuesPort } from './queue-port.ts';

type SharedConnection = ConstructorParameters<typeof ModelQueue>[0]['redis'];

/** One `ModelQueue` per model, opened at the first request for it. */
export class ModelQueues implements QueuesPort {
  readonly #redis: SharedConnection;
  readonly #jobVersionOf: (model: string) => number;
  readonly #queues = new Map<string, ModelQueue>();

  /** @param jobVersionOf in which version a model's jobs are to be written now */
  constructor(redis: SharedConnection, jobVersionOf: (model: string) => number) {
    this.#redis = redis;
    this.#jobVersionOf = jobVersionOf;
  }

  of(model: string): ModelQueue {
    let queue = this.#queues.get(model);
    if (queue === undefined) {
      queue = new ModelQueue({ model, redis: this.#redis, jobVersion: () => this.#jobVersionOf(model) });
      this.#queues.set(model, queue);
    }
    return queue;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#queues.values()].map((queue) => queue.close()));
  }
}
