/** How often the thread is asked for a sign of life, and how often the clock is looked at meanwhile. */
const TICK_MS = 500;
/** A thread may be silent for so many times as long as its longest step before. */
const SLOWER_THAN_LONGEST = 20;

export interface ThreadWatchdogOptions {
  /** No silence that is shorter counts as hung. */
  readonly limitMs: number;
  /** Asks the thread for an answer, which it gives between two steps; `answered` is to be called then. */
  readonly ask: () => void;
  /** Called once per silence that is too long, with how long it has lasted and what would have been allowed. */
  readonly onHang: (silentMs: number, limitMs: number) => void;
}

/**
 * Watches that an engine's thread ends its steps, by asking it for a sign of life again and again. How long it may take
 * follows from the steps that were seen: a long chunk of a prompt on a slow machine takes many seconds. Time is counted in
 * turns of the owner's event loop, so that a process that slept, was stopped or was itself busy does not take its engine for
 * hung.
 */
export class ThreadWatchdog implements Disposable {
  readonly #options: ThreadWatchdogOptions;
  readonly #timer: NodeJS.Timeout;
  #tickAtMs = performance.now();
  /** Time without an answer; null when none is owed. */
  #silentMs: number | null = null;
  #longestMs = 0;
  #reported = false;

  constructor(options: ThreadWatchdogOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  answered(): void {
    if (this.#silentMs !== null) this.#longestMs = Math.max(this.#longestMs, this.#silentMs);
    this.#silentMs = null;
    this.#reported = false;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    const turnMs = Math.min(now - this.#tickAtMs, 2 * TICK_MS);
    this.#tickAtMs = now;
    if (this.#silentMs === null) {
      this.#silentMs = 0;
      this.#options.ask();
      return;
    }
    this.#silentMs += turnMs;
    const limitMs = Math.max(this.#options.limitMs, SLOWER_THAN_LONGEST * this.#longestMs);
    if (this.#silentMs <= limitMs || this.#reported) return;
    this.#reported = true;
    this.#options.onHang(Math.round(this.#silentMs), Math.round(limitMs));
  }
}
