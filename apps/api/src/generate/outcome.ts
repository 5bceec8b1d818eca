import type { Answer } from './answer.ts';

/** How a request ended, for the ledger. */
export type Outcome = 'completed' | 'cancelled' | 'failed';

/** The same in the words of a request's record. */
export const OUTCOME_OF = { completed: 'finished', cancelled: 'cancelled', failed: 'failed' } as const;

/** Of an answer that is over. Whoever cancels it fails it with an error of its own, so that its client is told. */
export function outcomeOf({ state, failure }: Pick<Answer, 'state' | 'failure'>): Outcome {
  if (state === 'ended') return 'completed';
  return state === 'failed' && failure?.code !== 'request_cancelled' ? 'failed' : 'cancelled';
}
