import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { type GenerateJob, JOB_VERSION } from '#contracts';
import { encodeJob } from './encode-job.ts';
import { redisCall } from './redis-call.ts';
import { redisKeys } from './redis-keys.ts';

export interface ModelQueueOptions {
  readonly model: string;
  /** A `producer` connection; it stays its owner's to close, and many queues may share it. */
  readonly redis: Redis;
  /** Newest version of jobs that every worker of the model reads now; this release's own when unset. */
  readonly jobVersion?: () => number;
}

export interface QueueDepth {
  readonly waiting: number;
  readonly active: number;
}

/**
 * - `queued`: no worker has taken it
 * - `taken`: a worker holds it, or one that vanished does and its lock has not run out
 * - `gone`: it ended, or Redis has lost it
 */
export type JobState = 'queued' | 'taken' | 'gone';

/** BullMQ orders by priority from 1 (first); a job without one would overtake every job that has one. */
const FIRST_PRIORITY = 1;
/** Nobody reads BullMQ's event stream for the product; a short tail is kept for Bull Board. */
const EVENTS_KEPT = 100;

/** The producer's side of one model's queue. Every method throws MillraceError `unavailable` when Redis is away. */
export class ModelQueue {
  readonly model: string;
  readonly #redis: Redis;
  readonly #jobVersion: () => number;
  #queue: Queue<object> | null = null;

  constructor(options: ModelQueueOptions) {
    this.model = options.model;
    this.#redis = options.redis;
    this.#jobVersion = options.jobVersion ?? (() => JOB_VERSION);
  }

  /** Puts the job behind those of the same priority. A job that is there already (same request and epoch) stays one. */
  async add(job: GenerateJob, priority: number = FIRST_PRIORITY): Promise<void> {
    await this.#add(job, { priority: Math.max(priority, FIRST_PRIORITY) });
  }

  /**
   * Puts the job before all that have a priority, behind others that were put there: for a request that ran already and
   * whose client waits in the middle of its answer. BullMQ takes jobs without a priority first.
   */
  async addFirst(job: GenerateJob): Promise<void> {
    await this.#add(job, {});
  }

  /** Where the job of an attempt is. */
  async stateOf(requestId: string, epoch: number): Promise<JobState> {
    const jobId = redisKeys.jobId(requestId, epoch);
    const state = await this.#call(`look for request ${requestId} in the queue of ${this.model}`, (queue) =>
      queue.getJobState(jobId),
    );
    if (state === 'prioritized' || state === 'waiting') return 'queued';
    return state === 'active' ? 'taken' : 'gone';
  }

  /** Takes a job that no worker has taken out of Redis. @returns whether it was still queued and is gone */
  async remove(requestId: string, epoch: number): Promise<boolean> {
    const jobId = redisKeys.jobId(requestId, epoch);
    return this.#call(`remove request ${requestId} from the queue of ${this.model}`, async (queue) => {
      const state = await queue.getJobState(jobId);
      if (state !== 'prioritized' && state !== 'waiting') return false;
      // BullMQ answers 0 for a job that a worker has locked in between.
      return (await queue.remove(jobId)) === 1;
    });
  }

  async depth(): Promise<QueueDepth> {
    const counts = await this.#call(`count the queue of ${this.model}`, (queue) =>
      queue.getJobCounts('prioritized', 'wait', 'active'),
    );
    return { waiting: (counts.prioritized ?? 0) + (counts.wait ?? 0), active: counts.active ?? 0 };
  }

  async close(): Promise<void> {
    const queue = this.#queue;
    this.#queue = null;
    await queue?.close();
  }

  #add(job: GenerateJob, order: { priority?: number }): Promise<unknown> {
    return this.#call(`queue request ${job.requestId} for ${this.model}`, (queue) =>
      queue.add('generate', encodeJob(job, this.#jobVersion()), {
        ...order,
        jobId: redisKeys.jobId(job.requestId, job.epoch),
        attempts: 1,
        removeOnComplete: true,
        removeOnFail: true,
      }),
    );
  }

  #call<Result>(purpose: string, call: (queue: Queue<object>) => Promise<Result>): Promise<Result> {
    return redisCall(this.#redis, purpose, async () => call(await this.#open()));
  }

  /** BullMQ's queue never recovers from a failed initialisation, so a queue that could not start is replaced. */
  async #open(): Promise<Queue<object>> {
    this.#queue ??= this.#create();
    const queue = this.#queue;
    try {
      await queue.waitUntilReady();
      return queue;
    } catch (error) {
      if (this.#queue === queue) this.#queue = null;
      throw error;
    }
  }

  #create(): Queue<object> {
    const queue = new Queue<object>(redisKeys.queueName(this.model), {
      connection: this.#redis,
      prefix: redisKeys.queuePrefix,
      streams: { events: { maxLen: EVENTS_KEPT } },
    });
    // The connection's owner hears of its errors, and a caller hears of its own command's.
    queue.on('error', () => {});
    return queue;
  }
}
