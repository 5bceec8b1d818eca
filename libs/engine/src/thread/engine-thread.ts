import { Worker } from 'node:worker_threads';
import type { EnginePort } from '../engine-port.ts';
import type { EngineRequest } from '../engine-request.ts';
import type { EngineStats, StepOutput } from '../step-output.ts';
import { EngineStartLateError } from './engine-start-late-error.ts';
import { EngineThreadError } from './engine-thread-error.ts';
import { EngineThreadStuckError } from './engine-thread-stuck-error.ts';
import type { EngineReady, MessageFromEngine, MessageToEngine } from './thread-messages.ts';
import { ThreadWatchdog } from './thread-watchdog.ts';

export interface EngineThreadOptions {
  /** Node options for the thread; its parent's by default. */
  readonly execArgv?: readonly string[];
  /** How long `close` waits for the run in hand before it ends the thread by force. 5,000 by default. */
  readonly closeTimeoutMs?: number;
  /**
   * A thread that ends no step for this long, and for 20 times as long as its longest step so far, counts as hung: its run
   * is interrupted, and when that does not help the thread is ended. 60,000 by default.
   */
  readonly stepLimitMs?: number;
  /** A thread that loads for longer is ended, and the start fails; unlimited by default. */
  readonly startLimitMs?: number | null;
  /** Ends a thread that still loads, and the start fails. */
  readonly startSignal?: AbortSignal;
  /** Stops the run in hand so that nobody need wait for it: `interruptRun` of libs/model-runner. */
  readonly interrupt?: (address: bigint) => void;
}

const DEFAULT_CLOSE_TIMEOUT_MS = 5_000;
const DEFAULT_STEP_LIMIT_MS = 60_000;
/** A thread that computes JavaScript ends within milliseconds. */
const TERMINATE_MS = 1_000;
/** Time for an interrupted run to end; longer than the longest operator of a model. */
const INTERRUPT_MS = 5_000;

/**
 * An engine in a thread of its own, as its owner sees it. The thread's entry file loads the model and calls
 * `serveEngine(parentPort, engine)`.
 */
export class EngineThread implements EnginePort, AsyncDisposable {
  readonly ready: EngineReady;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #options: EngineThreadOptions;
  readonly #watchdog: ThreadWatchdog;
  readonly #stepListeners: ((output: StepOutput) => void)[] = [];
  readonly #fatalListeners: ((error: Error) => void)[] = [];
  #stats: EngineStats;
  #ended = false;
  #hangs = false;
  #fatal: Error | null = null;
  #closed: Promise<void> | null = null;
  #interruptedTimer: NodeJS.Timeout | undefined;

  /**
   * Starts the thread and waits until it serves.
   * @throws EngineThreadError, caused by what the entry file threw; EngineStartLateError when it took too long; EngineThreadStuckError when it
   *   could not be ended then
   */
  static start(entry: URL, workerData: unknown, options: EngineThreadOptions = {}): Promise<EngineThread> {
    const { execArgv, startLimitMs = null, startSignal } = options;
    const worker = new Worker(entry, { workerData, ...(execArgv && { execArgv: [...execArgv] }) });
    return new Promise((resolve, reject) => {
      const stopListening = (): void => {
        watchdog?.[Symbol.dispose]();
        worker.off('error', onError).off('exit', onExit).off('message', onMessage);
        startSignal?.removeEventListener('abort', onAbort);
      };
      const fail = (error: EngineThreadError): void => {
        stopListening();
        worker.on('error', () => {});
        reject(error);
      };
      const onError = (error: unknown): void => fail(new EngineThreadError(messageOf(error), error));
      const onExit = (code: number): void =>
        fail(new EngineThreadError(`the engine's thread exited with code ${code} before it was ready`));
      const onMessage = (message: MessageFromEngine): void => {
        if (message.type !== 'ready') return;
        stopListening();
        resolve(new EngineThread(worker, message.ready, message.stats, options));
      };
      const giveUp = (reason: EngineThreadError): void => {
        stopListening();
        worker.on('error', () => {}).unref();
        const timer = setTimeout(() => reject(new EngineThreadStuckError(reason)), TERMINATE_MS);
        void worker.terminate().then(() => {
          clearTimeout(timer);
          reject(reason);
        });
      };
      const onLate = (loadingMs: number, limitMs: number): void => giveUp(new EngineStartLateError(loadingMs, limitMs));
      const onAbort = (): void => giveUp(new EngineThreadError("the engine's thread is not needed any more"));
      const watchdog =
        startLimitMs === null ? null : new ThreadWatchdog({ limitMs: startLimitMs, ask: () => {}, onHang: onLate });
      worker.on('error', onError).on('exit', onExit).on('message', onMessage);
      if (startSignal?.aborted) onAbort();
      else startSignal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  private constructor(worker: Worker, ready: EngineReady, stats: EngineStats, options: EngineThreadOptions) {
    this.ready = ready;
    this.#worker = worker;
    this.#stats = stats;
    this.#options = options;
    this.#watchdog = new ThreadWatchdog({
      limitMs: options.stepLimitMs ?? DEFAULT_STEP_LIMIT_MS,
      ask: () => this.#post({ type: 'ping' }),
      onHang: (silentMs, limitMs) => this.#hung(silentMs, limitMs),
    });
    worker.on('message', (message: MessageFromEngine) => this.#take(message));
    worker.on('error', (error) => this.#die(error));
    this.#exited = new Promise((resolve) => {
      worker.once('exit', (code) => {
        this.#ended = true;
        this.#watchdog[Symbol.dispose]();
        resolve();
        if (this.#closed === null) this.#die(new Error(`it exited with code ${code}`));
      });
    });
  }

  submit(request: EngineRequest): void {
    this.#post({ type: 'submit', request });
  }

  cancel(requestId: string, epoch: number): void {
    this.#post({ type: 'cancel', requestId, epoch });
  }

  onStep(listener: (output: StepOutput) => void): void {
    this.#stepListeners.push(listener);
  }

  /** A listener added after the end is called at once. */
  onFatal(listener: (error: Error) => void): void {
    this.#fatalListeners.push(listener);
    if (this.#fatal !== null) listener(this.#fatal);
  }

  /** As of the last step that was published. */
  stats(): EngineStats {
    return this.#stats;
  }

  /** Ends the thread: in order when it answers in time, by force when not. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Whether the thread is really gone; one inside a native call goes only when that call returns. */
  get ended(): boolean {
    return this.#ended;
  }

  async #end(): Promise<void> {
    const { closeTimeoutMs = DEFAULT_CLOSE_TIMEOUT_MS } = this.#options;
    this.#watchdog[Symbol.dispose]();
    clearTimeout(this.#interruptedTimer);
    this.#post({ type: 'close' });
    if (this.#fatal === null) this.#interrupt();
    if (await this.#exitsWithin(this.#hangs ? 0 : closeTimeoutMs)) return;
    // A thread inside a native call ends only when that call returns, so this does not wait for it for long.
    this.#worker.unref();
    void this.#worker.terminate();
    await this.#exitsWithin(TERMINATE_MS);
  }

  async #exitsWithin(timeoutMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, false);
    });
    const inTime = await Promise.race([this.#exited.then(() => true), timeout]);
    clearTimeout(timer);
    return inTime;
  }

  /** @returns false where runs can not be interrupted */
  #interrupt(): boolean {
    const { interrupt } = this.#options;
    const { interruptAddress } = this.ready;
    if (interrupt === undefined || interruptAddress === null) return false;
    interrupt(interruptAddress);
    return true;
  }

  /** First the run in hand is stopped, which costs its requests only; a thread that does not answer even then is ended. */
  #hung(silentMs: number, limitMs: number): void {
    const why = new Error(`it has ended no step for ${silentMs} ms, and ${limitMs} ms are allowed`);
    const giveUp = (): void => {
      this.#hangs = true;
      this.#die(why);
    };
    if (this.#interrupt()) this.#interruptedTimer = setTimeout(giveUp, INTERRUPT_MS).unref();
    else giveUp();
  }

  #post(message: MessageToEngine): void {
    this.#worker.postMessage(message);
  }

  #take(message: MessageFromEngine): void {
    clearTimeout(this.#interruptedTimer);
    if (message.type === 'pong') {
      this.#watchdog.answered();
    } else if (message.type === 'step') {
      this.#stats = message.output.stats;
      for (const listener of this.#stepListeners) listener(message.output);
    } else if (message.type === 'fatal') {
      this.#die(message.error);
    }
  }

  #die(cause: Error): void {
    if (this.#fatal !== null) return;
    this.#watchdog[Symbol.dispose]();
    clearTimeout(this.#interruptedTimer);
    this.#fatal = new EngineThreadError(`the engine's thread ended: ${messageOf(cause)}`, cause);
    for (const listener of this.#fatalListeners) listener(this.#fatal);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
