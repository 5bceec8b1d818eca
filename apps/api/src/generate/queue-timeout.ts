import { type GenerateJob, MillraceError } from '#contracts';
import type { Answer } from './answer.ts';

/** The longest delay that timers take. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Fails a request that no worker has taken by its deadline; its job is then removed or, where a worker meets it, refused. */
export class QueueTimeout implements Disposable {
  readonly #job: GenerateJob;
  readonly #waitMs: number;
  readonly #answer: Answer;
  readonly #madeAtMs = performance.now();
  #timer: NodeJS.Timeout | null = null;

  /** @param waitMs the wait that was estimated at admission: how long a retry should be put off */
  constructor(job: GenerateJob, waitMs: number, answer: Answer) {
    this.#job = job;
    this.#waitMs = waitMs;
    this.#answer = answer;
  }

  begin(): void {
    const { deadlineMs, enqueuedAtMs } = this.#job;
    if (deadlineMs === null) return;
    // By the clock that does not jump: the two times of the job say only how far they are apart.
    const passedMs = performance.now() - this.#madeAtMs;
    const leftMs = Math.min(Math.max(0, deadlineMs - enqueuedAtMs - passedMs), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => this.#expire(), leftMs).unref();
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #expire(): void {
    if (this.#answer.workerId !== null) return;
    const waitedMs = Math.round(performance.now() - this.#madeAtMs);
    this.#answer.failed(
      new MillraceError(
        'queue_timeout',
        `No worker was free for the request within ${waitedMs} ms, the longest wait it allows. Try again later, or allow ` +
          'a longer wait with x-queue-timeout-ms.',
        { retryAfterMs: Math.max(1_000, this.#waitMs) },
      ),
    );
  }
}
