import { failureOf } from '../engine-failures.ts';
import type { EnginePort } from '../engine-port.ts';
import type { EngineRequest } from '../engine-request.ts';
import type { EngineStats, StepOutput } from '../step-output.ts';
import { EngineStartLateError } from './engine-start-late-error.ts';
import type { EngineThread } from './engine-thread.ts';
import { EngineThreadError } from './engine-thread-error.ts';
import { EngineThreadStuckError } from './engine-thread-stuck-error.ts';
import type { EngineReady } from './thread-messages.ts';

export interface EngineSupervisorOptions {
  /**
   * Starts a thread and waits until it serves, for at most so long. @throws EngineStartLateError after that, EngineThreadError after the signal,
   * EngineThreadStuckError where the thread could not be ended
   */
  readonly start: (limitMs: number | null, signal: AbortSignal) => Promise<EngineThread>;
  /** A thread that replaces another may load for so long, and for five times as long as the first one. 60,000 by default. */
  readonly startLimitMs?: number;
  /** So many threads may be lost within `windowMs` and are replaced; the next one is not. 3 by default. */
  readonly replacements?: number;
  /** 600,000 by default. */
  readonly windowMs?: number;
}

const DEFAULT_REPLACEMENTS = 3;
const DEFAULT_WINDOW_MS = 600_000;
const DEFAULT_START_LIMIT_MS = 60_000;
/** Files come from memory the second time, but the machine may be busier. */
const SLOWER_THAN_FIRST = 5;
const NEVER = new AbortController().signal;

/** What a supervisor tells of its thread's end. */
export interface EngineLoss {
  readonly error: Error;
  /** Settles when a new thread serves. @throws EngineThreadError when there will be none */
  readonly replaced: Promise<void>;
}

/**
 * An engine that outlives its thread: one that crashes or hangs is ended and replaced, and with it goes only what it held.
 * One that hangs while it loads counts as lost as well. It gives up, which its owner hears as fatal, when threads end again
 * and again, when no new one can be started, or when the lost one can not be ended, since it holds memory and cores that the
 * new one needs.
 */
export class EngineSupervisor implements EnginePort, AsyncDisposable {
  readonly #options: EngineSupervisorOptions;
  readonly #startLimitMs: number;
  readonly #stepListeners: ((output: StepOutput) => void)[] = [];
  readonly #lossListeners: ((loss: EngineLoss) => void)[] = [];
  readonly #fatalListeners: ((error: Error) => void)[] = [];
  readonly #lostAtMs: number[] = [];
  #thread: EngineThread;
  #serving = true;
  readonly #closing = new AbortController();
  #replacing: Promise<void> | null = null;
  /** A thread that was to replace another could not be ended. */
  #isStuck = false;
  #fatal: Error | null = null;
  #replacedTotal = 0;

  /** @throws EngineThreadError, caused by what keeps the thread from starting */
  static async start(options: EngineSupervisorOptions): Promise<EngineSupervisor> {
    const beganMs = performance.now();
    const thread = await options.start(null, NEVER);
    return new EngineSupervisor(thread, performance.now() - beganMs, options);
  }

  private constructor(thread: EngineThread, firstStartMs: number, options: EngineSupervisorOptions) {
    this.#options = options;
    const { startLimitMs = DEFAULT_START_LIMIT_MS } = options;
    this.#startLimitMs = Math.round(Math.max(startLimitMs, SLOWER_THAN_FIRST * firstStartMs));
    this.#thread = thread;
    this.#adopt(thread);
  }

  /** Of the thread that serves now, or did last. */
  get ready(): EngineReady {
    return this.#thread.ready;
  }

  /** Threads that were lost and replaced. */
  get replacedTotal(): number {
    return this.#replacedTotal;
  }

  /** Whether no thread is left, after `close` or when it gave up; one inside a native call goes when that call returns. */
  get ended(): boolean {
    return this.#thread.ended && this.#replacing === null && !this.#isStuck;
  }

  /** While no thread serves the request is lost like those that the last one held. */
  submit(request: EngineRequest): void {
    if (this.#serving) this.#thread.submit(request);
    else {
      const failed = [failureOf(request, 'the engine is being started anew')];
      this.#publish({ step: 0, seated: [], deltas: [], finished: [], failed, stats: this.stats() });
    }
  }

  cancel(requestId: string, epoch: number): void {
    if (this.#serving) this.#thread.cancel(requestId, epoch);
  }

  onStep(listener: (output: StepOutput) => void): void {
    this.#stepListeners.push(listener);
  }

  /** Called when a thread is lost, with all that it held. */
  onLoss(listener: (loss: EngineLoss) => void): void {
    this.#lossListeners.push(listener);
  }

  onFatal(listener: (error: Error) => void): void {
    this.#fatalListeners.push(listener);
    if (this.#fatal !== null) listener(this.#fatal);
  }

  stats(): EngineStats {
    const stats = this.#thread.stats();
    return this.#serving ? stats : { ...stats, running: 0, waiting: 0, freeSlots: 0 };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#thread.close(), this.#replacing]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  #adopt(thread: EngineThread): void {
    this.#thread = thread;
    this.#serving = true;
    thread.onStep((output) => {
      // The last words of a thread that counts as lost would be told of requests that another worker may have by now.
      if (this.#serving && this.#thread === thread) this.#publish(output);
    });
    thread.onFatal((error) => this.#lose(error));
  }

  #publish(output: StepOutput): void {
    for (const listener of this.#stepListeners) listener(output);
  }

  #lose(error: Error): void {
    if (this.#closed || !this.#serving) return;
    this.#serving = false;
    const replaced = this.#replace(error);
    this.#replacing = replaced.then(
      () => {
        this.#replacing = null;
      },
      (reason: Error) => {
        this.#replacing = null;
        this.#isStuck = reason instanceof EngineThreadStuckError;
        this.#giveUp(reason);
      },
    );
    for (const listener of this.#lossListeners) listener({ error, replaced });
  }

  async #replace(error: Error): Promise<void> {
    const lost = this.#thread;
    const losses = this.#countLoss();
    await lost.close();
    if (!lost.ended) {
      throw new EngineThreadError(`${error.message}; it is inside a native call that does not return`, error);
    }
    this.#requireFew(losses, error);
    const thread = await this.#startAnew();
    if (this.#closed) return thread.close();
    this.#replacedTotal += 1;
    this.#adopt(thread);
  }

  async #startAnew(): Promise<EngineThread> {
    for (;;) {
      try {
        return await this.#options.start(this.#startLimitMs, this.#closing.signal);
      } catch (error) {
        if (!(error instanceof EngineStartLateError)) throw error;
        this.#requireFew(this.#countLoss(), error);
      }
    }
  }

  /** Counts a thread that is lost now. @returns how many were within the window */
  #countLoss(): number {
    const { windowMs = DEFAULT_WINDOW_MS } = this.#options;
    const now = performance.now();
    while (this.#lostAtMs[0] !== undefined && now - this.#lostAtMs[0] > windowMs) this.#lostAtMs.shift();
    return this.#lostAtMs.push(now);
  }

  #requireFew(losses: number, error: Error): void {
    const { replacements = DEFAULT_REPLACEMENTS, windowMs = DEFAULT_WINDOW_MS } = this.#options;
    if (losses <= replacements) return;
    const times = `${losses} threads were lost within ${windowMs / 1_000} s`;
    throw new EngineThreadError(`${error.message}; it is not replaced, since ${times}`, error);
  }

  #giveUp(error: Error): void {
    if (this.#closed || this.#fatal !== null) return;
    this.#fatal = error;
    for (const listener of this.#fatalListeners) listener(error);
  }
}
