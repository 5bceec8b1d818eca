import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';

const ENTRY = new URL('../../dist/apps/worker/src/main.js', import.meta.url);

/** The parts of `/stats` that tests look at. */
export interface WorkerStats {
  readonly state: string;
  readonly cardHash: string;
  readonly engine: {
    readonly running: number;
    readonly waiting: number;
    readonly freeSlots: number;
    readonly stepsTotal: number;
    readonly decodeRunsTotal: number;
    readonly prefillRunsTotal: number;
    readonly decodedTokensTotal: number;
    readonly prefilledTokensTotal: number;
  };
  readonly jobs: { readonly running: number; readonly granted: number; readonly denied: number };
  readonly consumer: {
    readonly consuming: boolean;
    readonly activeJobs: number;
    readonly lockRenewals: number;
    readonly lockLosses: number;
  };
  readonly eventLoopDelay: { readonly p99Ms: number; readonly maxMs: number; readonly windowMs: number };
}

/** A real worker process from the built `dist/`, as a supervisor starts it. Killed by its own pid when disposed. */
export class WorkerProcess implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly messages: { type: string; [key: string]: unknown }[] = [];
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Everything it printed. */
  output = '';
  url = '';

  private constructor(settings: Readonly<Record<string, string>>) {
    if (!existsSync(ENTRY)) throw new Error('dist/ is missing: run `npm run build` before the e2e tests');
    const { NODE_OPTIONS: _options, ...environment } = process.env;
    this.process = fork(ENTRY, { env: { ...environment, ...settings }, execArgv: [], silent: true });
    this.process.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.process.stderr?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.process.on('message', (message) => this.messages.push(message as { type: string }));
    this.exit = new Promise((resolve) => this.process.once('exit', (code, signal) => resolve({ code, signal })));
  }

  /** Starts a worker without waiting for it. */
  static spawn(settings: Readonly<Record<string, string>>): WorkerProcess {
    return new WorkerProcess(settings);
  }

  /** Starts a worker and waits until it takes jobs. */
  static async start(settings: Readonly<Record<string, string>>): Promise<WorkerProcess> {
    const worker = new WorkerProcess(settings);
    const ended = worker.exit.then(({ code, signal }) => {
      throw new Error(`the worker ended (${code ?? signal}) before it was ready:\n${worker.output}`);
    });
    const ready = new Promise<void>((resolve) => {
      worker.process.on('message', (message: { type: string; managementUrl?: string }) => {
        if (message.type !== 'ready') return;
        worker.url = message.managementUrl ?? '';
        resolve();
      });
    });
    await Promise.race([ready, ended]);
    ended.catch(() => {});
    return worker;
  }

  async stats(query = ''): Promise<WorkerStats> {
    return (await fetch(`${this.url}/stats${query}`)).json() as Promise<WorkerStats>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.exit;
  }
}
