import { randomUUID } from 'node:crypto';
import { type GenerateJob, type ModelCard, packCard, relay } from '#contracts';
import { CardStore, connectRedis, JobConsumer, WorkerDirectory } from '#queue';
import { RelayDialer, type ResumedChoice } from '#relay';

/** What a script can do with the job it was given; every call is one message, as of one engine step. */
export interface ScriptedJob {
  readonly job: GenerateJob;
  /** What earlier attempts delivered of each choice; empty at the first. */
  readonly resume: readonly ResumedChoice[];
  /** Aborted when the API cancels the request or its stream broke. */
  readonly cancelled: AbortSignal;
  /** The next token of the first choice, for `ScriptedWorker.publish`. */
  delta(text: string): relay.Delta;
  say(text: string, options?: { choice?: number; tokens?: number; logprobs?: relay.TokenLogprob[] }): void;
  finish(options?: {
    choice?: number;
    reason?: 'stop' | 'length' | 'cancelled';
    stopString?: string;
    cachedPromptTokens?: number;
  }): void;
  fail(code: string, message: string): void;
}

export interface ScriptedWorkerOptions {
  readonly redisUrl: string;
  readonly card: ModelCard;
  readonly slots?: number;
  /** The relay's token, where it has one. */
  readonly token?: string;
  readonly run: (job: ScriptedJob) => Promise<void>;
}

/** A worker without an engine: real queue, real heartbeat, real relay, and answers that a test writes. */
export class ScriptedWorker implements AsyncDisposable {
  readonly workerId = `scripted-${randomUUID()}`;
  readonly jobs: GenerateJob[] = [];
  readonly cancels: string[] = [];
  readonly denied: string[] = [];
  readonly #options: ScriptedWorkerOptions;
  readonly #redis: ReturnType<typeof connectRedis>;
  readonly #directory: WorkerDirectory;
  readonly #dialer: RelayDialer;
  readonly #consumer: JobConsumer;
  readonly #running = new Map<string, AbortController>();
  #cardHash = '';
  #heartbeat: NodeJS.Timeout | null = null;
  #step = 0;

  private constructor(options: ScriptedWorkerOptions) {
    const { card, redisUrl, slots = 8 } = options;
    this.#options = options;
    this.#redis = connectRedis(redisUrl, 'producer');
    this.#directory = new WorkerDirectory(this.#redis);
    this.#dialer = new RelayDialer({ workerId: this.workerId, models: [card.model], slots, token: options.token });
    this.#dialer.onCancel((requestId) => {
      this.cancels.push(requestId);
      this.#running.get(requestId)?.abort();
    });
    this.#dialer.onLost((requestId) => this.#running.get(requestId)?.abort());
    this.#consumer = new JobConsumer({
      model: card.model,
      redisUrl,
      concurrency: slots,
      lockMs: 10_000,
      run: (job) => this.#run(job),
    });
  }

  static async start(options: ScriptedWorkerOptions): Promise<ScriptedWorker> {
    const worker = new ScriptedWorker(options);
    if (worker.#redis.status !== 'ready') await new Promise((resolve) => worker.#redis.once('ready', resolve));
    const packed = await packCard(options.card);
    worker.#cardHash = packed.hash;
    await new CardStore(worker.#redis).put(packed);
    await worker.#beat();
    worker.#heartbeat = setInterval(() => void worker.#beat().catch(() => {}), 500);
    worker.#consumer.start();
    return worker;
  }

  /** Tokens of many jobs as one message. */
  publish(deltas: readonly relay.Delta[]): void {
    this.#step += 1;
    this.#dialer.publish({ step: this.#step, deltas, finished: [], failed: [] });
  }

  /** Takes no more jobs but goes on being there: what is sent now stays queued. */
  stopTaking(): void {
    this.#consumer.setConcurrency(1);
    this.#consumer.pause();
  }

  /** Leaves the directory as a worker does that drains. */
  async leave(): Promise<void> {
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    await this.#directory.withdraw(this.workerId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave().catch(() => {});
    await this.#consumer.close(0);
    await this.#dialer.close();
    this.#redis.disconnect();
  }

  #beat(): Promise<void> {
    const { card, slots = 8 } = this.#options;
    const load = { running: this.#running.size, waiting: 0 };
    return this.#directory.publish(
      {
        workerId: this.workerId,
        state: 'ready',
        models: [{ model: card.model, cardHash: this.#cardHash, slots, ...load }],
        startedAtMs: Date.now(),
        beatAtMs: Date.now(),
      },
      2_000,
    );
  }

  async #run(job: GenerateJob): Promise<void> {
    // A cancel can come in the same tick as the grant.
    const cancelled = new AbortController();
    this.#running.set(job.requestId, cancelled);
    try {
      const claim = await this.#dialer.claim(job);
      if (claim === 'denied') {
        this.denied.push(job.requestId);
        return;
      }
      this.jobs.push(job);
      await this.#options.run(this.#scripted(job, claim === 'granted' ? [] : claim.resume, cancelled.signal));
    } finally {
      if (this.#running.get(job.requestId) === cancelled) this.#running.delete(job.requestId);
    }
  }

  #scripted(job: GenerateJob, resume: readonly ResumedChoice[], cancelled: AbortSignal): ScriptedJob {
    const { requestId, epoch } = job;
    const counts = new Map(resume.map(({ tokenIds }, choice) => [choice, tokenIds.length]));
    const publish = (frames: { deltas?: relay.Delta[]; finished?: relay.Finished[]; failed?: relay.Failed[] }) => {
      this.#step += 1;
      this.#dialer.publish({ step: this.#step, deltas: [], finished: [], failed: [], ...frames });
    };
    const delta = (text: string, choice: number, tokens: number, logprobs: relay.TokenLogprob[]): relay.Delta => {
      const firstIndex = counts.get(choice) ?? 0;
      counts.set(choice, firstIndex + tokens);
      const tokenIds = Array.from({ length: tokens }, () => 5);
      return { requestId, epoch, choice, firstIndex, tokenIds, text, logprobs };
    };
    return {
      job,
      resume,
      cancelled,
      delta: (text) => delta(text, 0, 1, []),
      say: (text, { choice = 0, tokens = 1, logprobs = [] } = {}) => {
        publish({ deltas: [delta(text, choice, tokens, logprobs)] });
      },
      finish: ({ choice = 0, reason = 'stop', stopString = '', cachedPromptTokens = 0 } = {}) => {
        const { FINISH_REASON_STOP, FINISH_REASON_LENGTH, FINISH_REASON_CANCELLED } = relay.FinishReason;
        const reasons = { stop: FINISH_REASON_STOP, length: FINISH_REASON_LENGTH, cancelled: FINISH_REASON_CANCELLED };
        const finished = {
          requestId,
          epoch,
          choice,
          reason: reasons[reason],
          stopString,
          completionTokens: counts.get(choice) ?? 0,
          cachedPromptTokens,
        };
        publish({ finished: [finished] });
      },
      fail: (code, message) => publish({ failed: [{ requestId, epoch, code, message }] }),
    };
  }
}
