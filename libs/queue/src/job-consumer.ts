import { type Job, WaitingError } from 'bullmq';
import type { Redis } from 'ioredis';
import type { GenerateJob } from '#contracts';
import { connectRedis } from './connect-redis.ts';
import { decodeJob } from './decode-job.ts';
import { ExpressLane, type ExpressSource } from './express-lane.ts';
import { FetchWatchingWorker } from './fetch-watching-worker.ts';
import { redisKeys } from './redis-keys.ts';
import { type HeldJob, SlotLedger } from './slot-ledger.ts';

export interface JobConsumerOptions {
  readonly model: string;
  readonly redisUrl: string;
  /** As in `connectRedis`. */
  readonly redisCa?: string | undefined;
  /** Choices (sequences) that may run together; a job with n choices counts n. */
  readonly concurrency: number;
  /** Takes requests of tenants below their share beyond the concurrency; null or left out takes none. */
  readonly express?: { readonly source: ExpressSource; readonly places: number } | null;
  /** How long a job stays this worker's without renewal; renewed at half. */
  readonly lockMs: number;
  /**
   * Runs one job; the job leaves the queue when the promise settles. A rejection is reported and never retried.
   * The signal aborts when the consumer closes and the grace time is over.
   * @param by how the job came here: taken from the queue, or offered by the API replica that it names
   */
  readonly run: (job: GenerateJob, signal: AbortSignal, by: 'queue' | 'offer') => Promise<void>;
  /**
   * Makes a waiting job the next one, if there is one that is better taken by this worker: sent over the connection on which the next
   * is asked for right after, without waiting for the answer. @returns its id; null when the order was left
   */
  readonly bringForward?: (connection: Redis) => Promise<string | null>;
  /** Hears of connection errors, lost locks, refused jobs and rejections of `run`. */
  readonly onError?: (error: Error) => void;
}

/** An idle worker asks for work at least this often, even if no notice reaches it. */
const IDLE_POLL_SECONDS = 2;
/** A worker that has free slots and has not asked for this long is not consuming. */
const FETCH_LATE_MS = IDLE_POLL_SECONDS * 1_000 + 3_000;
/** How often it is looked at whether work is being asked for. */
const LOOK_MS = 1_000;
/** Pause between attempts to reach Redis; BullMQ's own 15 s would keep a healed cluster idle. */
const RETRY_DELAY_MS = 500;
/** Time for aborted jobs to settle and for Redis to take note of it before the connection is cut. */
const ABORT_SETTLE_MS = 2_000;
/**
 * A job whose worker vanished goes back to the queue once. Its second run is harmless: the relay's claim refuses it
 * unless the client still waits for this very attempt.
 */
const MAX_STALLED_COUNT = 1;

/** The worker's side of one model's queue: takes a job when a slot is free, keeps its lock, gives it to `run`. */
export class JobConsumer {
  readonly #options: JobConsumerOptions;
  readonly #redis: Redis;
  readonly #worker: FetchWatchingWorker;
  readonly #ledger: SlotLedger;
  readonly #express: ExpressLane | null;
  /** Fetched without a slot for them: they go back into the queue. */
  readonly #surplus = new Set<string>();
  readonly #running = new Map<string, { controller: AbortController; settled: Promise<void> }>();
  /** What was begun when its job was fetched. */
  readonly #begun = new WeakMap<Job, Promise<void>>();
  #state: 'created' | 'started' | 'paused' | 'closed' = 'created';
  #look: NodeJS.Timeout | null = null;
  #lateLooks = 0;
  #reconnects = 0;
  #lockLosses = 0;
  #lockRenewals = 0;
  #stalledJobs = 0;
  #offeredTotal = 0;
  #broughtForwardTotal = 0;
  /** All slots were held since the queue was last seen empty: while one is free, nobody waits. Nothing was seen of it at first. */
  #mayWait = true;

  constructor(options: JobConsumerOptions) {
    this.#options = options;
    this.#ledger = new SlotLedger(options.concurrency);
    this.#redis = connectRedis(options.redisUrl, 'consumer', { ca: options.redisCa });
    this.#worker = new FetchWatchingWorker(
      redisKeys.queueName(options.model),
      (job: Job, token?: string) => this.#process(job, token),
      {
        connection: this.#redis,
        prefix: redisKeys.queuePrefix,
        autorun: false,
        concurrency: options.concurrency,
        drainDelay: IDLE_POLL_SECONDS,
        lockDuration: options.lockMs,
        stalledInterval: options.lockMs,
        maxStalledCount: MAX_STALLED_COUNT,
        runRetryDelay: RETRY_DELAY_MS,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      },
    );
    this.#express =
      options.express == null
        ? null
        : new ExpressLane({
            ...options.express,
            ledger: this.#ledger,
            onSummoned: () => {
              this.#applyConcurrency();
              this.#worker.wake();
            },
            onError: (error) => this.#report(error),
          });
    this.#observe();
  }

  /**
   * Whether jobs are really being taken: the loop has asked Redis for work lately, or all slots are held and Redis
   * answers. False while Redis is away, before `start` and after `pause`.
   */
  get consuming(): boolean {
    if (this.#state !== 'started') return false;
    const last = this.#worker.lastFetchMs;
    if (last === 0) return false;
    return this.#ledger.freeSlots <= 0 || performance.now() - last < FETCH_LATE_MS;
  }

  /** Locks that could not be renewed, so that another worker may have been given the job. */
  get lockLosses(): number {
    return this.#lockLosses;
  }

  /** Locks that were renewed, one for each job each time. */
  get lockRenewals(): number {
    return this.#lockRenewals;
  }

  /** Jobs of vanished workers that this consumer put back into the queue. */
  get stalledJobs(): number {
    return this.#stalledJobs;
  }

  /** Times that connections were made anew because no work was asked for over them. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** Requests that were taken for tenants below their share although no slot was free. */
  get expressTotal(): number {
    return this.#express?.takenTotal ?? 0;
  }

  /** Jobs that were offered and taken. */
  get offeredTotal(): number {
    return this.#offeredTotal;
  }

  /** Jobs that were made the next ones by `bringForward`. */
  get broughtForwardTotal(): number {
    return this.#broughtForwardTotal;
  }

  /** Jobs whose `run` has not settled. */
  get activeJobs(): number {
    return this.#running.size;
  }

  /**
   * Takes a job that an API replica offers, if there is room for it beside one of the queue's.
   * @param text the JSON that would have gone into the queue
   * @param due take it only if its tenant has less than its share here, beyond the slots too; else only into a free slot
   * @returns whether it runs now
   */
  takeOffered(text: string, due = false): boolean {
    if (this.#state !== 'started') return false;
    let job: GenerateJob;
    try {
      job = decodeJob('that was offered', JSON.parse(text));
    } catch (error) {
      this.#report(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
    const jobId = redisKeys.jobId(job.requestId, job.epoch);
    const held = heldJobOf(job);
    const taken = due ? this.#express?.takeOffered(jobId, held) : this.#ledger.holdOffered(jobId, held);
    if (taken !== true) return false;
    this.#offeredTotal += 1;
    this.#applyConcurrency();
    this.#begin(jobId, (signal) => this.#options.run(job, signal, 'offer')).catch((error: unknown) =>
      this.#report(error instanceof Error ? error : new Error(String(error))),
    );
    return true;
  }

  /** Changes how many choices may run together; what runs is not touched. */
  setConcurrency(slots: number): void {
    this.#ledger.slots = slots;
    this.#applyConcurrency();
  }

  /** Starts taking jobs, for as long as the consumer is not paused; while Redis is away it keeps trying. */
  start(): void {
    if (this.#state !== 'created') throw new Error(`a consumer that is ${this.#state} can not be started`);
    this.#state = 'started';
    this.#look = setInterval(() => this.#lookAfterConsumption(), LOOK_MS).unref();
    this.#express?.start();
    this.#worker.run().catch((error: Error) => this.#report(error));
  }

  /** Takes no further job, at once; running ones go on. A consumer that was paused is not started again. */
  pause(): void {
    if (this.#state !== 'started') return;
    this.#state = 'paused';
    if (this.#look !== null) clearInterval(this.#look);
    this.#express?.stop();
    // Waits for the running jobs, which is `close`'s business; it also ends the blocking call at once.
    this.#worker.pause().catch((error: Error) => this.#report(error));
  }

  /** Pauses, gives running jobs `graceMs` to end, aborts the rest, and frees the connections. Bounded in time. */
  async close(graceMs: number): Promise<void> {
    if (this.#state === 'closed') return;
    this.pause();
    if (!(await this.#allSettled(graceMs))) {
      for (const { controller } of this.#running.values()) controller.abort(new Error('the worker is shutting down'));
      await this.#allSettled(ABORT_SETTLE_MS);
    }
    this.#state = 'closed';
    // With Redis away the orderly way would wait for it for ever; what is left in Redis then is another worker's to find.
    const closed = this.#worker.close().then(
      () => true,
      () => true,
    );
    if (!(await Promise.race([closed, after(ABORT_SETTLE_MS)]))) {
      const blocking = this.#worker.getBackend().blockingClient;
      blocking?.then((client) => client.disconnect(), noop);
    }
    this.#redis.disconnect();
  }

  /**
   * A connection whose network has forgotten it never says so: one over which no work was asked for, although there are free
   * slots, is made anew. Looks are counted, not time, so that a process that slept does not cut what is whole.
   */
  #lookAfterConsumption(): void {
    const connected = this.#redis.status === 'ready';
    this.#lateLooks = this.consuming || !connected ? 0 : this.#lateLooks + 1;
    if (this.#lateLooks < FETCH_LATE_MS / LOOK_MS) return;
    this.#lateLooks = 0;
    this.#reconnects += 1;
    this.#redis.disconnect(true);
    this.#worker.getBackend().blockingClient?.then((client) => client.disconnect(true), noop);
  }

  #observe(): void {
    const worker = this.#worker;
    worker.on('error', (error) => this.#report(error));
    worker.on('ioredis:close', () => worker.noteLoss());
    worker.on('locksRenewed', ({ count }) => {
      worker.noteContact();
      this.#lockRenewals += count;
    });
    worker.on('lockRenewalFailed', (jobIds) => {
      this.#lockLosses += jobIds.length;
    });
    worker.on('stalled', () => {
      this.#stalledJobs += 1;
    });
    // BullMQ asks for another job before it hands one over, so slots are counted, and work is begun, when a job is fetched.
    worker.on('active', (job) => {
      worker.noteContact();
      const jobId = job.id ?? '';
      // It was offered, and queued too because the answer came late: BullMQ hears of the end of what runs.
      const offered = this.#ledger.isOffered(jobId) ? this.#running.get(jobId)?.settled : undefined;
      if (!this.#ledger.hold(jobId, heldJobOf(job.data))) this.#surplus.add(jobId);
      else if (offered !== undefined) this.#begun.set(job, offered);
      else if (this.#state === 'started') {
        const work = this.#begin(jobId, (signal) => this.#runDecoded(jobId, job.data, signal));
        // BullMQ hears of its end when it hands the job over.
        work.catch(noop);
        this.#begun.set(job, work);
      }
      this.#applyConcurrency();
      this.#lookForDue();
    });
    // BullMQ's own event `drained` also comes when a job has ended and no other was asked for.
    worker.onNothingFetched(() => {
      this.#mayWait = this.#ledger.freeSlots <= 0;
      this.#ledger.summon(null);
      this.#applyConcurrency();
    });
    worker.beforeAsking(() => this.#bringForward());
    worker.letAloneRest(() => this.#running.size === 1);
    worker.on('completed', (job) => this.#release(job.id ?? ''));
    worker.on('failed', (job, error) => {
      this.#release(job?.id ?? '');
      this.#report(error);
    });
  }

  async #process(job: Job, token: string | undefined): Promise<void> {
    const begun = this.#begun.get(job);
    // BullMQ asks for another job as it takes note of this one's end.
    if (begun !== undefined) return begun.finally(() => this.#bringForward());
    // Fetched without a slot for it, or while the consumer was being paused: another worker shall have it.
    const jobId = job.id ?? '';
    this.#surplus.delete(jobId);
    this.#release(jobId);
    await job.moveToWait(token);
    throw new WaitingError();
  }

  async #begin(jobId: string, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const controller = new AbortController();
    const work = run(controller.signal);
    const entry = { controller, settled: work.then(noop, noop) };
    this.#running.set(jobId, entry);
    try {
      await work;
    } finally {
      // After a lost lock the same job can be running here a second time.
      if (this.#running.get(jobId) === entry) this.#running.delete(jobId);
      // Before the job is marked finished, because that step already fetches the next one.
      this.#release(jobId);
    }
  }

  async #runDecoded(jobId: string, data: unknown, signal: AbortSignal): Promise<void> {
    await this.#options.run(decodeJob(jobId, data), signal, 'queue');
  }

  #release(jobId: string): void {
    const offered = this.#ledger.isOffered(jobId);
    if (!this.#ledger.release(jobId)) return;
    this.#applyConcurrency();
    // Of the end of a job of its own BullMQ's loop hears by itself.
    if (offered) this.#worker.wake();
    this.#lookForDue();
  }

  /** Who sits has changed: somebody else may be due a seat. */
  #lookForDue(): void {
    if (this.#ledger.freeSlots <= 0) void this.#express?.look();
  }

  #bringForward(): void {
    const { bringForward } = this.#options;
    if (bringForward === undefined || !this.#mayWait || this.#state !== 'started') return;
    bringForward(this.#redis).then((jobId) => {
      if (jobId !== null) this.#broughtForwardTotal += 1;
      // In the order that they have, jobs are taken as well.
    }, noop);
  }

  #applyConcurrency(): void {
    this.#worker.concurrency = this.#ledger.jobConcurrency;
    this.#mayWait ||= this.#ledger.freeSlots <= 0;
  }

  async #allSettled(limitMs: number): Promise<boolean> {
    const all = Promise.all([...this.#running.values()].map((entry) => entry.settled)).then(() => true);
    return Promise.race([all, after(limitMs)]);
  }

  #report(error: Error): void {
    this.#options.onError?.(error);
  }
}

const noop = () => {};

/** Of a job that is not decoded yet, and may be anything. */
function heldJobOf(data: unknown): HeldJob {
  const { choices, tenantId, weight } = typeof data === 'object' && data !== null ? (data as Partial<GenerateJob>) : {};
  return {
    choices: Number.isInteger(choices) && Number(choices) >= 1 ? Number(choices) : 1,
    tenantId: typeof tenantId === 'string' ? tenantId : '',
    weight: typeof weight === 'number' && weight > 0 ? weight : 1,
  };
}

function after(delayMs: number): Promise<false> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(false), delayMs).unref();
  });
}
