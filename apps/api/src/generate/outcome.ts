import type { Answer } from './answer.ts';
import type { AnswerUsage } from './answer-listener.ts';

/** How a request ended, for the ledger. */
export type Outcome = 'completed' | 'cancelled' | 'failed';

/** The same in the words of a request's record. */
export const OUTCOME_OF = { completed: 'finished', cancelled: 'cancelled', failed: 'failed' } as const;

/** Of an answer that is over. Whoever cancels it fails it with an error of its own, so that its client is told. */
export function outcomeOf({ state, failure }: Pick<Answer, 'state' | 'failure'>): Outcome {
  if (state === 'ended') return 'completed';
  return state === 'failed' && failure?.code !== 'request_cancelled' ? 'failed' : 'cancelled';
}

const NOTHING: AnswerUsage = { promptTokens: 0, completionTokens: 0, cachedPromptTokens: 0 };

/**
 * What of an answer is paid for: what was made of it. Of one that failed here, what was delivered: nothing where it is sent whole,
 * for its client has the error alone, and clients try such requests again by themselves.
 */
export function chargedUsage(answer: Pick<Answer, 'state' | 'failure' | 'usage'>, whole: boolean): AnswerUsage {
  const { failure, usage } = answer;
  if (outcomeOf(answer) !== 'failed' || failure === null) return usage;
  // A deadline is the client's own.
  const ours = failure.httpStatus >= 500 && failure.code !== 'deadline_exceeded';
  return usage.completionTokens === 0 || (ours && whole) ? NOTHING : usage;
}
