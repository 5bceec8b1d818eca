import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RedisServer } from './redis-server.ts';

export const DEV_KEY = 'test-key-0123456789';
const RELAY_TOKEN = 'test-relay-token-0123456789';

export interface ReadyMessage {
  type: 'ready';
  url?: string;
  managementUrl: string;
  workerId?: string;
  relayAddress?: string;
}

/** A process of the built product, started as the supervisor starts it. */
export class ProductProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly ready: ReadyMessage;
  readonly #output: string[];

  private constructor(child: ChildProcess, ready: ReadyMessage, output: string[]) {
    this.child = child;
    this.ready = ready;
    this.#output = output;
  }

  /** All that the process has printed so far. */
  get output(): string {
    return this.#output.join('');
  }

  static async start(app: 'api' | 'worker', environment: Record<string, string>): Promise<ProductProcess> {
    const entry = fileURLToPath(new URL(`../../dist/apps/${app}/src/main.js`, import.meta.url));
    if (!existsSync(entry)) throw new Error(`${entry} is missing: build first (npm run build)`);
    const child = fork(entry, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
      execArgv: [],
      silent: true,
    });
    const output: string[] = [];
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    const ready = await new Promise<ReadyMessage>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${app} did not start: ${why}\n${output.join('').slice(-3000)}`));
      child.on('message', (message: ReadyMessage | { type: 'failed'; message: string } | { type: 'progress' }) => {
        if (message.type === 'ready') resolve(message);
        else if (message.type === 'failed') fail(message.message);
      });
      child.once('exit', (code, signal) => fail(`exited with ${code ?? signal}`));
    });
    return new ProductProcess(child, ready, output);
  }

  /** Asks the process to drain and waits for its end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const exited = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    // One that a test has stopped would not hear it.
    this.child.kill('SIGCONT');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
    try {
      return await exited;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export interface ClusterOptions {
  modelFolder: string;
  worker?: Record<string, string>;
  api?: Record<string, string>;
  workers?: number;
}

/** A real Redis, one API replica and workers, as separate processes on free loopback ports. */
export class Cluster implements AsyncDisposable {
  readonly url: string;
  readonly api: ProductProcess;
  /** Of the workers that were started, those that were not taken out. */
  readonly workers: ProductProcess[] = [];
  readonly redisUrl: string;
  readonly #workerEnvironment: Record<string, string>;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    api: ProductProcess,
    redisUrl: string,
    workerEnvironment: Record<string, string>,
    stack: AsyncDisposableStack,
  ) {
    this.api = api;
    this.redisUrl = redisUrl;
    this.url = api.ready.url ?? '';
    this.#workerEnvironment = workerEnvironment;
    this.#stack = stack;
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    await using starting = new AsyncDisposableStack();
    const redis = starting.use(await RedisServer.start());
    const shared = { REDIS_URL: redis.url, MILLRACE_RELAY_TOKEN: RELAY_TOKEN, MILLRACE_LOG_LEVEL: 'warn' };
    const api = starting.use(
      await ProductProcess.start('api', {
        ...shared,
        MILLRACE_DEV_KEY: DEV_KEY,
        MILLRACE_HTTP_PORT: '0',
        MILLRACE_MANAGEMENT_PORT: '0',
        ...options.api,
      }),
    );
    const workerEnvironment = { ...shared, MILLRACE_MODEL: options.modelFolder, ...options.worker };
    const cluster = new Cluster(api, redis.url, workerEnvironment, starting.move());
    try {
      for (let index = 0; index < (options.workers ?? 1); index++) await cluster.addWorker();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts one more worker and waits until it takes jobs. */
  async addWorker(): Promise<ProductProcess> {
    const worker = this.#stack.use(await ProductProcess.start('worker', this.#workerEnvironment));
    this.workers.push(worker);
    return worker;
  }

  /** The worker that runs something; waits for one. */
  async busyWorker(): Promise<ProductProcess> {
    for (let attempt = 0; attempt < 500; attempt++) {
      for (const worker of this.workers) {
        const response = await fetch(`${worker.ready.managementUrl}/stats`);
        if (((await response.json()) as WorkerStats).engine.running > 0) return worker;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error('no worker runs anything');
  }

  /** Takes a worker out of `workers`, for a test that ends it. */
  takeOut(worker: ProductProcess): void {
    this.workers.splice(this.workers.indexOf(worker), 1);
  }

  /** The first worker's counters. */
  async workerStats(): Promise<WorkerStats> {
    const response = await fetch(`${this.workers[0]?.ready.managementUrl}/stats`);
    return (await response.json()) as WorkerStats;
  }

  post(body: unknown, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(body),
      ...init,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${DEV_KEY}`, ...init.headers },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export interface WorkerStats {
  engine: {
    running: number;
    waiting: number;
    freeSlots: number;
    stepsTotal: number;
    decodeRunsTotal: number;
    prefillRunsTotal: number;
    decodedTokensTotal: number;
    prefilledTokensTotal: number;
  };
}
