import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The operator's key that every API of a test accepts. */
export const TEST_KEY = 'sk-test-key-0123456789';

/** How long a process may take to stop before it is killed. */
const STOP_LIMIT_MS = 15_000;

export interface ProcessMessage {
  readonly type: 'progress' | 'ready' | 'failed';
  readonly [key: string]: unknown;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The parts of a worker's `/stats` that tests look at. */
export interface WorkerStats {
  readonly state: string;
  readonly cardHash: string;
  readonly engine: {
    readonly running: number;
    readonly waiting: number;
    readonly freeSlots: number;
    readonly parked: number;
    readonly parksTotal: number;
    readonly fairnessLagSteps: number;
    readonly stepsTotal: number;
    readonly decodeRunsTotal: number;
    readonly prefillRunsTotal: number;
    readonly decodedTokensTotal: number;
    readonly prefilledTokensTotal: number;
    /** Tokens that slots have memory for; null where all of it was taken at the start. */
    readonly kvResidentTokens: number | null;
    readonly preemptionsTotal: number;
    /** Threads that were lost and replaced. */
    readonly replacedTotal: number;
  };
  readonly jobs: { readonly running: number; readonly granted: number; readonly denied: number };
  readonly consumer: {
    readonly consuming: boolean;
    readonly activeJobs: number;
    readonly lockRenewals: number;
    readonly lockLosses: number;
    readonly expressTotal: number;
    readonly offeredTotal: number;
    readonly broughtForwardTotal: number;
  };
  readonly relay: { readonly claims: number };
  readonly eventLoopDelay: { readonly p99Ms: number; readonly maxMs: number; readonly windowMs: number };
  readonly rssBytes: number;
}

/** Compiled code of dist, which each process that ends by itself leaves to the next: a fifth of its start. */
const COMPILED = fileURLToPath(new URL('../../.millrace/cache/compiled', import.meta.url));

/** The variable that says that dist is current: where `build` was called for all files. */
export const BUILT = 'MILLRACE_TESTS_BUILT';

let built = false;

/** Builds as `npm run build` does, when dist is not current; the products run without a type stripper. */
export function build(): void {
  if (built || process.env[BUILT] !== undefined) return;
  const script = "await (await import('./tools/bootstrap/build.mjs')).ensureBuilt(console.error)";
  execFileSync(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
  built = true;
}

/**
 * A process of the built product, started as its supervisor starts it, with a free port for everything. The one way in
 * which tests start an API replica or a worker alone; `Cluster` starts several of them. Killed by its pid when disposed.
 *
 * @example
 * await using api = await ProductProcess.start('api', { REDIS_URL: redis.url });
 * await fetch(`${api.url}/readyz`);
 */
export class ProductProcess implements AsyncDisposable {
  readonly app: 'api' | 'worker';
  readonly child: ChildProcess;
  /** What it told its supervisor, in order. */
  readonly messages: ProcessMessage[] = [];
  readonly exit: Promise<ProcessEnd>;
  #output = '';

  private constructor(app: 'api' | 'worker', environment: Readonly<Record<string, string>>) {
    build();
    this.app = app;
    this.child = fork(`dist/apps/${app}/src/main.js`, {
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        NODE_COMPILE_CACHE: COMPILED,
        MILLRACE_DEV_KEY: TEST_KEY,
        MILLRACE_HTTP_PORT: '0',
        MILLRACE_MANAGEMENT_PORT: '0',
        ...environment,
      },
    });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    this.child.on('message', (message) => this.messages.push(message as ProcessMessage));
    this.exit = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve({ code, signal })));
  }

  /** Starts the process without waiting for it. */
  static spawn(app: 'api' | 'worker', environment: Readonly<Record<string, string>>): ProductProcess {
    return new ProductProcess(app, environment);
  }

  /** Starts the process and waits until it serves. */
  static async start(app: 'api' | 'worker', environment: Readonly<Record<string, string>>): Promise<ProductProcess> {
    const started = new ProductProcess(app, environment);
    await started.serving();
    return started;
  }

  /** Waits until it serves; for one that was just spawned. One that can not is killed. */
  async serving(): Promise<void> {
    const ready = new Promise<boolean>((resolve) => {
      this.child.on('message', ({ type }: ProcessMessage) => {
        if (type !== 'progress') resolve(type === 'ready');
      });
      void this.exit.then(() => resolve(false));
    });
    if (await ready) return;
    this.child.kill('SIGKILL');
    const { code, signal } = await this.exit;
    throw new Error(`the ${this.app} did not start (${code ?? signal}):\n${this.output.slice(-3_000)}`);
  }

  /** Everything it printed so far. */
  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** An API's address for clients. */
  get url(): string {
    return this.#said('url');
  }

  /** Health routes, and a worker's `/stats`. */
  get managementUrl(): string {
    return this.#said('managementUrl');
  }

  /** Where an API says that workers reach its relay. */
  get relayAddress(): string {
    return this.#said('relayAddress');
  }

  /** A worker's counters. @param query `?window=restart` begins a new window for the event loop's delay */
  async stats(query = ''): Promise<WorkerStats> {
    return (await fetch(`${this.managementUrl}/stats${query}`)).json() as Promise<WorkerStats>;
  }

  /** Stops it where it stands: it keeps its sockets and says nothing. */
  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  /** Sends the signal and waits for the end. @returns the exit code, null when the signal itself ended it */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.running) return this.child.exitCode;
    this.child.kill(signal);
    // One that a test has frozen would not hear it.
    this.thaw();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_LIMIT_MS);
    const { code } = await this.exit;
    clearTimeout(timer);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }

  #said(field: string): string {
    const value = this.messages.find(({ type }) => type === 'ready')?.[field];
    if (typeof value !== 'string') throw new Error(`the ${this.app} has not said its ${field}:\n${this.output}`);
    return value;
  }
}
