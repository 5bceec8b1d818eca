import type { Logger } from '#observability';
import type { KeptEnding } from '#requests';
import type { JournalEntry } from '../requests/request-journal.ts';
import type { AdmissionTicket } from './admission.ts';
import type { Answer } from './answer.ts';
import type { AttemptSeries } from './failover/attempt-series.ts';
import type { AnswerRecorder } from './kept/answer-recorder.ts';
import { chargedUsage, outcomeOf } from './outcome.ts';

export interface CourseParts {
  readonly answer: Answer;
  readonly attempts: AttemptSeries;
  readonly ticket: AdmissionTicket;
  readonly entry: JournalEntry;
  /** Null for an answer that ends with its connection. */
  readonly recorder: AnswerRecorder | null;
  /** Nothing of the answer reaches its client before all of it. */
  readonly whole: boolean;
  readonly logger: Logger;
}

/** A request that this replica works on, from the queue to its settlement, or until another replica takes it. */
export class Course {
  readonly answer: Answer;
  readonly #parts: CourseParts;
  #left: 'handed over' | 'taken' | null = null;

  constructor(parts: CourseParts) {
    this.#parts = parts;
    this.answer = parts.answer;
  }

  /** Whether another replica can go on with it. */
  get kept(): boolean {
    return this.#parts.recorder !== null;
  }

  /** Leaves a kept request to whoever takes it; its client has to come back. */
  handOver(): void {
    if (this.#parts.recorder !== null) this.#leave('handed over');
  }

  /** Another replica has taken it already. */
  taken(): void {
    this.#leave('taken');
  }

  /** Settles, and never rejects, when the answer is over and everything that the request held is free. */
  async finish(): Promise<void> {
    const { answer, attempts, ticket, entry, recorder, whole } = this.#parts;
    const state = await answer.over;
    if (state === 'ended') attempts[Symbol.dispose]();
    else void attempts.end(this.#left ?? answer.failure?.message ?? 'the client closed its connection');
    if (this.#left !== null) {
      this.#parts.logger.info({ requestId: ticket.terms.requestId, why: this.#left }, 'another replica goes on');
      if (this.#left === 'handed over') await recorder?.end({ state: 'released', error: null });
      ticket.handOver();
      entry.left();
      return;
    }
    // In one write to Redis, in this order.
    const settled = ticket.settle(outcomeOf(answer), chargedUsage(answer, whole));
    entry.ended(answer);
    await settled;
    await recorder?.end(endingOf(answer));
  }

  #leave(why: 'handed over' | 'taken'): void {
    if (this.answer.state !== 'generating') return;
    this.#left = why;
    this.answer.abandon();
  }
}

function endingOf(answer: Answer): KeptEnding {
  const outcome = outcomeOf(answer);
  if (outcome === 'completed') return { state: 'ended', error: null };
  const { failure } = answer;
  const error = failure === null ? null : { code: failure.code, message: failure.message, param: failure.param };
  return { state: outcome, error };
}
