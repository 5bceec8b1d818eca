import { ModelQueue } from '#queue';
import type { QueuesPort } from './queue-port.ts';

type SharedConnection = ConstructorParameters<typeof ModelQueue>[0]['redis'];

/** One `ModelQueue` per model, opened when the model shows, or at the first request for it. */
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

  /** Makes ready what a model's first job would wait for. @throws MillraceError unavailable */
  async open(model: string): Promise<void> {
    // A question that BullMQ has to be whole for, about a job that there is not.
    await this.of(model).stateOf('warm-up', 1);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#queues.values()].map((queue) => queue.close()));
  }
}
