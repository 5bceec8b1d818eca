import { MillraceError } from '#contracts';

/** The longest delay that timers take. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Ends a request that takes longer than its client allows (`x-request-timeout-ms`), in whichever phase it is. */
export class RequestDeadline implements Disposable {
  readonly #timer: NodeJS.Timeout | null;

  /** @param atMs by `performance.now()`; null for none. @param end ends the request with this error */
  constructor(atMs: number | null, end: (error: MillraceError) => void) {
    if (atMs === null) {
      this.#timer = null;
      return;
    }
    const leftMs = Math.min(Math.max(0, atMs - performance.now()), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => end(exceeded()), leftMs).unref();
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

function exceeded(): MillraceError {
  return new MillraceError(
    'deadline_exceeded',
    'The request took longer than its x-request-timeout-ms allows, and was ended. Allow more time, or ask for fewer tokens.',
  );
}
