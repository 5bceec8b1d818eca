import { Worker } from 'bullmq';
import { type ModelCard, packCard } from '#contracts';
import { CardStore, connectRedis, redisKeys } from '#queue';
import { JobV1 } from './job-v1.ts';
import { RelayWorkerV1 } from './relay-v1.ts';

export interface WorkerV1Options {
  readonly redisUrl: string;
  readonly token: string;
  readonly card: ModelCard;
  /** What it answers, a token a text; it dies behind the last one of `diesBehind`, if that is set. */
  readonly texts: readonly string[];
  readonly diesBehind?: number;
}

/** A whole worker of the previous release: its heartbeat, its reading of jobs, its relay, and a scripted answer. */
export class WorkerV1 implements AsyncDisposable {
  readonly jobs: JobV1[] = [];
  readonly refused: string[] = [];
  readonly #options: WorkerV1Options;
  readonly #redis: ReturnType<typeof connectRedis>;
  readonly #consumer: Worker;
  readonly #relays: RelayWorkerV1[] = [];
  #heartbeat: NodeJS.Timeout | null = null;

  private constructor(options: WorkerV1Options) {
    this.#options = options;
    this.#redis = connectRedis(options.redisUrl, 'consumer');
    this.#consumer = new Worker(redisKeys.queueName(options.card.model), (job) => this.#run(job.data), {
      connection: connectRedis(options.redisUrl, 'consumer'),
      prefix: redisKeys.queuePrefix,
      autorun: false,
    });
    this.#consumer.on('failed', (_job, error) => this.refused.push(error.message));
    this.#consumer.on('error', () => undefined);
  }

  static async start(options: WorkerV1Options): Promise<WorkerV1> {
    const worker = new WorkerV1(options);
    if (worker.#redis.status !== 'ready') await new Promise((resolve) => worker.#redis.once('ready', resolve));
    const packed = await packCard(options.card);
    const cardHash = packed.hash;
    await new CardStore(worker.#redis).put(packed);
    const beat = async (): Promise<void> => {
      const models = [{ model: options.card.model, cardHash, slots: 4, running: 0, waiting: 0 }];
      const record = { workerId: 'old', state: 'ready', models, startedAtMs: 0, beatAtMs: Date.now() };
      await worker.#redis.set(redisKeys.workerRecord('old'), JSON.stringify(record), 'PX', 2_000);
      await worker.#redis.zadd(redisKeys.workerBeats, Date.now(), 'old');
      await worker.#redis.publish(redisKeys.workersChanged, 'old');
    };
    await beat();
    worker.#heartbeat = setInterval(() => void beat().catch(() => undefined), 400);
    void worker.#consumer.run();
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    for (const relay of this.#relays) await relay[Symbol.asyncDispose]();
    await this.#redis.del(redisKeys.workerRecord('old'));
    await this.#redis.publish(redisKeys.workersChanged, 'old');
    await this.#consumer.close(true);
    this.#redis.disconnect();
  }

  async #run(data: unknown): Promise<void> {
    const job = JobV1.parse(data);
    const { requestId, epoch } = job;
    const relay = new RelayWorkerV1(job.relayAddress, this.#options.token, 'old');
    this.#relays.push(relay);
    if (!(await relay.claim(requestId, epoch))) return;
    this.jobs.push(job);
    const { texts, diesBehind = texts.length } = this.#options;
    for (const [index, text] of texts.slice(0, diesBehind).entries()) relay.say(requestId, epoch, index, text);
    if (diesBehind < texts.length) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await relay[Symbol.asyncDispose]();
    } else relay.finish(requestId, epoch, texts.length);
  }
}
