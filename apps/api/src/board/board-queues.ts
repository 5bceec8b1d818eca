import { Queue } from 'bullmq';
import { type ModelQueue, redisKeys } from '#queue';

type SharedRedis = ConstructorParameters<typeof ModelQueue>[0]['redis'];

/** BullMQ's queue of each model that was ever served, opened when the board is first looked at. */
export class BoardQueues implements AsyncDisposable {
  readonly #redis: SharedRedis;
  readonly #models: () => readonly string[];
  readonly #queues = new Map<string, Queue>();

  /** @param redis stays its owner's to close */
  constructor(redis: SharedRedis, models: () => readonly string[]) {
    this.#redis = redis;
    this.#models = models;
  }

  now(): Queue[] {
    return this.#models().map((model) => this.#of(model));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  #of(model: string): Queue {
    let queue = this.#queues.get(model);
    if (queue === undefined) {
      queue = new Queue(redisKeys.queueName(model), { connection: this.#redis, prefix: redisKeys.queuePrefix });
      // The connection's owner hears of its errors.
      queue.on('error', () => {});
      this.#queues.set(model, queue);
    }
    return queue;
  }
}
