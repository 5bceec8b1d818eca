import { type Job, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { GenerateJob } from '#contracts';
import { redisKeys } from '#queue';

/** Takes jobs out of a model's real BullMQ queue one at a time, as a worker with one free slot does, without running them. */
export class SimulatedService implements AsyncDisposable {
  readonly #connection: Redis;
  readonly #worker: Worker<GenerateJob>;

  constructor(redis: Redis, model: string) {
    this.#connection = redis.duplicate({
      maxRetriesPerRequest: null,
      enableOfflineQueue: true,
      commandTimeout: undefined,
    });
    this.#worker = new Worker<GenerateJob>(redisKeys.queueName(model), null, {
      connection: this.#connection,
      prefix: redisKeys.queuePrefix,
      autorun: false,
    });
    this.#worker.on('error', () => {});
  }

  /** The job that BullMQ gives to the next free slot; done at once. */
  async next(): Promise<GenerateJob | null> {
    const job: Job<GenerateJob> | undefined = await this.#worker.getNextJob('simulated', { block: false });
    if (job === undefined) return null;
    await job.moveToCompleted(undefined, 'simulated', false);
    return job.data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close(true);
    this.#connection.disconnect();
  }
}
