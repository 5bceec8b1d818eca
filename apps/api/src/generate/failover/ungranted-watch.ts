import type { JobState } from '#queue';
import type { FailoverOptions } from './failover-options.ts';

export interface UngrantedWatchParts {
  readonly options: Pick<FailoverOptions, 'firstLookMs' | 'longestLookMs' | 'takenMs'>;
  /** @throws MillraceError unavailable; the watch then looks again later */
  readonly look: () => Promise<JobState>;
  /** Nobody will run the job: it left the queue unclaimed, or who took it has not claimed it. */
  readonly onLost: (why: string) => void;
  /** It waits, or nobody can say; called with every look. */
  readonly onWaiting: () => void;
}

/**
 * Looks after a job from the queue to the claim. A worker claims what it takes within the relay's claim timeout, so a
 * job that is taken for longer belongs to a worker that died in between, and one that is gone was lost or could not be
 * claimed. Looks cost Redis one read each, at intervals that double up to `longestLookMs`.
 */
export class UngrantedWatch {
  readonly #parts: UngrantedWatchParts;
  #timer: NodeJS.Timeout | null = null;
  #delayMs: number;
  #takenSinceMs: number | null = null;
  #stopped = false;

  constructor(parts: UngrantedWatchParts) {
    this.#parts = parts;
    this.#delayMs = parts.options.firstLookMs;
    this.#arm(this.#delayMs);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #arm(delayMs: number): void {
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#look(), delayMs);
  }

  async #look(): Promise<void> {
    const { options, look, onLost, onWaiting } = this.#parts;
    const state = await look().catch(() => null);
    if (this.#stopped) return;
    if (state === 'gone') return this.#lost('it left the queue and no worker claimed it', onLost);
    if (state === 'taken') {
      const now = performance.now();
      this.#takenSinceMs ??= now;
      const leftMs = options.takenMs - (now - this.#takenSinceMs);
      if (leftMs <= 0) return this.#lost('the worker that took it has not claimed it', onLost);
      this.#arm(leftMs);
      return;
    }
    this.#takenSinceMs = null;
    onWaiting();
    this.#delayMs = Math.min(this.#delayMs * 2, options.longestLookMs);
    this.#arm(this.#delayMs);
  }

  #lost(why: string, onLost: (why: string) => void): void {
    this.stop();
    onLost(why);
  }
}
