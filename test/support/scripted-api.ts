import { setTimeout as sleep } from 'node:timers/promises';
import type { GenerateJob, ModelCard } from '#contracts';
import { openModelFolder } from '#models';
import { ProductProcess, TEST_KEY } from './product-process.ts';
import { RedisServer } from './redis-server.ts';
import { type ScriptedJob, ScriptedWorker } from './scripted-worker.ts';

export interface ScriptedApiOptions {
  /** Under which clients ask for the model. */
  readonly model?: string;
  readonly contextLength?: number;
  /** Where the model's card is taken from. */
  readonly folder?: string;
  /** Settings of the API. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** What the worker answers until a test says something else: three tokens. */
const HELLO = ['He', 'llo', ' you'];

/**
 * An API replica with a real Redis, and a worker whose answers the test writes.
 *
 * @example
 * await using cluster = await ScriptedApi.start();
 * cluster.script = async (job) => job.fail('engine_failed', 'It broke.');
 * const response = await cluster.ask({ stream: true });
 */
export class ScriptedApi implements AsyncDisposable {
  readonly redis: RedisServer;
  readonly card: ModelCard;
  readonly worker: ScriptedWorker;
  readonly api: ProductProcess;
  /** What becomes of the next jobs. */
  script: (job: ScriptedJob) => Promise<void> = ScriptedApi.hello;

  private constructor(redis: RedisServer, card: ModelCard, worker: ScriptedWorker, api: ProductProcess) {
    this.redis = redis;
    this.card = card;
    this.worker = worker;
    this.api = api;
  }

  static async start(options: ScriptedApiOptions = {}): Promise<ScriptedApi> {
    const { model = 'tiny/llama', contextLength = 256, folder = 'test/fixtures/models/tiny-llama', settings } = options;
    await using started = new AsyncDisposableStack();
    const redis = started.use(await RedisServer.start());
    const card = (await openModelFolder(folder)).card({ model, contextLength });
    const run = (job: ScriptedJob): Promise<void> => cluster.script(job);
    const worker = started.use(await ScriptedWorker.start({ redisUrl: redis.url, card, run }));
    const api = started.use(await ProductProcess.start('api', { REDIS_URL: redis.url, ...settings }));
    const cluster: ScriptedApi = new ScriptedApi(redis, card, worker, api);
    started.move();
    return cluster;
  }

  /** Says three tokens and ends. */
  static async hello(this: void, job: ScriptedJob): Promise<void> {
    for (const text of HELLO) job.say(text);
    job.finish();
  }

  /** The API's address for clients. */
  get url(): string {
    return this.api.url;
  }

  /** The job that the worker took last. */
  get lastJob(): GenerateJob {
    const job = this.worker.jobs.at(-1);
    if (job === undefined) throw new Error('the worker has taken no job');
    return job;
  }

  /** Sends a body as it is. */
  post(body: unknown, headers: Record<string, string> = {}, signal: AbortSignal | null = null): Promise<Response> {
    return fetch(`${this.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      signal,
    });
  }

  /** Asks the model something. @param more fields of the body */
  ask(more: object = {}, headers: Record<string, string> = {}, signal: AbortSignal | null = null): Promise<Response> {
    return this.post({ model: this.card.model, messages: MESSAGES, ...more }, headers, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker[Symbol.asyncDispose]();
    await this.api[Symbol.asyncDispose]();
    await this.redis[Symbol.asyncDispose]();
  }
}

/** What is asked where it does not matter. */
export const MESSAGES = [{ role: 'user' as const, content: 'Hello' }];

/** The events of a whole stream: JSON of each `data:` line, with `[DONE]` as text. */
export async function eventsOf(response: Response): Promise<unknown[]> {
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: '));
  return lines.map((line) => (line === 'data: [DONE]' ? '[DONE]' : JSON.parse(line.slice(6))));
}

/** Waits for a condition. @throws Error that names it after five seconds */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
    await sleep(5);
  }
}
