import type { GenerateJob } from '#contracts';
import type { FinishReason } from '#engine';

/** What became of the claim of a job; only the first two reach the engine. */
export type ClaimEnd = 'granted' | 'resumed' | 'denied' | 'refused' | 'repeated';

/** Hears of one attempt's phases; times are Unix ms with fractions. The grant may come before it is given to the engine, or at any time after that. */
export interface AttemptObserver {
  /** @param resumedTokens tokens that an earlier attempt delivered */
  granted(resumedTokens: number, atMs: number): void;
  /** It was given to the engine, which may not have a slot for it yet. */
  submitted(atMs: number): void;
  /** A choice got its slot; its prompt is about to be computed. */
  seated(atMs: number): void;
  tokens(choice: number, count: number, atMs: number): void;
  choiceEnded(choice: number, reason: FinishReason): void;
  /** Somebody asked for its end. */
  cancelled(reason: string, atMs: number): void;
  failed(code: string): void;
  /** Nothing follows. */
  ended(atMs: number): void;
}

/** Hears of every job that this worker takes. */
export interface JobObserver {
  /** Asked for when the job was taken. */
  attempt(job: GenerateJob): AttemptObserver;
  claim(end: ClaimEnd): void;
}
