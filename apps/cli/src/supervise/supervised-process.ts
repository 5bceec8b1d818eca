import { type ChildProcess, fork } from 'node:child_process';
import { appendFileSync, closeSync, openSync } from 'node:fs';
import { StartError } from '../start-error.ts';
import { ChildMessage, type ReadyMessage } from './child-message.ts';
import type { OrphanGuard } from './orphan-guard.ts';
import { DEFAULT_RESTART_POLICY, decideRestart, type RestartPolicy } from './restart-policy.ts';

export interface SupervisedProcessOptions {
  /** Shown to the user: `api`, `worker`. */
  readonly name: string;
  readonly entry: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logFile: string;
  readonly guard: OrphanGuard;
  readonly execArgv?: readonly string[];
  readonly restart?: RestartPolicy;
  readonly onProgress?: (message: string) => void;
  /** One line about a death, a restart, or being ready again. */
  readonly onNotice?: (message: string) => void;
  /** The process keeps dying and is not restarted any more. */
  readonly onGiveUp?: (error: StartError) => void;
}

/** `starting → ready → (restarting → ready)* → stopping → stopped`; `failed` when it never got ready or keeps dying. */
export type SupervisedState = 'starting' | 'ready' | 'restarting' | 'stopping' | 'stopped' | 'failed';

const ERROR_TAIL_CHARACTERS = 4_000;

/** One child process that is started, restarted when it dies after it was ready, and stopped within a bounded time. */
export class SupervisedProcess {
  readonly #options: SupervisedProcessOptions;
  readonly #policy: RestartPolicy;
  #environment: Readonly<Record<string, string | undefined>>;
  #state: SupervisedState = 'starting';
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #quickDeaths = 0;
  #restartTimer: NodeJS.Timeout | null = null;
  #errorTail = '';
  #failure: string | null = null;

  constructor(options: SupervisedProcessOptions) {
    this.#options = options;
    this.#policy = options.restart ?? DEFAULT_RESTART_POLICY;
    this.#environment = options.environment;
  }

  get state(): SupervisedState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Starts the process and resolves when it is ready for the first time.
   * @throws StartError with the process's own message when it ends before that
   */
  start(): Promise<ReadyMessage> {
    return new Promise((resolve, reject) => {
      this.#launch({
        onReady: (ready) => {
          this.#state = 'ready';
          resolve(ready);
        },
        onEnd: (how) => {
          if (this.#state !== 'starting') return;
          this.#state = 'failed';
          reject(new StartError(this.#describeFailure(how)));
        },
      });
    });
  }

  /** Settings that later restarts use, such as a port that was free to choose at the first start. */
  keep(settings: Readonly<Record<string, string>>): void {
    this.#environment = { ...this.#environment, ...settings };
  }

  /** SIGTERM, then SIGKILL after `graceMs`; resolves when the process is gone. */
  async stop(graceMs: number): Promise<void> {
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
    const child = this.#child;
    this.#state = child === null ? 'stopped' : 'stopping';
    if (child === null) return;
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await this.#ended;
    clearTimeout(kill);
    this.#state = 'stopped';
  }

  #launch(handlers: { onReady: (ready: ReadyMessage) => void; onEnd: (how: string) => void }): void {
    const { entry, logFile, guard } = this.#options;
    const startedAt = Date.now();
    const log = openSync(logFile, 'a');
    this.#errorTail = '';
    this.#failure = null;
    // Detached: Ctrl-C reaches the supervisor alone, which then stops everything in order.
    const child = fork(entry, [], {
      execArgv: [...(this.#options.execArgv ?? ['--enable-source-maps'])],
      env: this.#environment,
      stdio: ['ignore', log, 'pipe', 'ipc'],
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    if (child.pid !== undefined) guard.add(child.pid);
    child.stderr?.on('data', (chunk: Buffer) => {
      appendFileSync(logFile, chunk);
      this.#errorTail = (this.#errorTail + chunk.toString()).slice(-ERROR_TAIL_CHARACTERS);
    });
    child.on('message', (raw) => {
      const message = ChildMessage.safeParse(raw);
      if (!message.success) return;
      if (message.data.type === 'progress') this.#options.onProgress?.(message.data.message);
      else if (message.data.type === 'failed') this.#failure = message.data.message;
      else handlers.onReady(message.data);
    });
    this.#ended = new Promise((resolve) => {
      const finish = (how: string): void => {
        if (this.#child !== child) return;
        this.#child = null;
        if (child.pid !== undefined) guard.remove(child.pid);
        resolve();
        handlers.onEnd(how);
        if (this.#state === 'ready' || this.#state === 'restarting') this.#afterDeath(how, Date.now() - startedAt);
      };
      child.once('error', (error) => finish(`could not be started: ${error.message}`));
      // 'close' comes after the last of stderr, which holds the reason; a grandchild that keeps stderr open must not delay it.
      child.once('close', (code, signal) =>
        finish(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
      );
      child.once('exit', (code, signal) => {
        setTimeout(
          () => finish(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
          500,
        ).unref();
      });
    });
  }

  #afterDeath(how: string, aliveMs: number): void {
    const { name, logFile, onNotice } = this.#options;
    const decision = decideRestart(this.#policy, aliveMs, this.#quickDeaths);
    this.#quickDeaths = decision.quickDeaths;
    if (decision.action === 'give-up') {
      this.#state = 'failed';
      const reason = this.#failure ?? lastLines(this.#errorTail);
      this.#options.onGiveUp?.(
        new StartError(
          `The ${name} process ${how}, ${decision.quickDeaths} times in a row; giving up.\n${reason}\nIts log: ${logFile}`,
        ),
      );
      return;
    }
    this.#state = 'restarting';
    onNotice?.(`The ${name} process ${how}; restarting it in ${decision.delayMs} ms (log: ${logFile}).`);
    this.#restartTimer = setTimeout(() => {
      this.#restartTimer = null;
      this.#launch({
        onReady: () => {
          this.#state = 'ready';
          onNotice?.(`The ${name} process is ready again.`);
        },
        onEnd: () => undefined,
      });
    }, decision.delayMs);
  }

  #describeFailure(how: string): string {
    const { name, logFile } = this.#options;
    const reason = this.#failure ?? lastLines(this.#errorTail);
    return reason === ''
      ? `The ${name} process ${how} before it was ready. Its log: ${logFile}`
      : `The ${name} process could not start:\n${reason}\nIts log: ${logFile}`;
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-12).join('\n');
}
