import { attemptKey } from '#contracts/ports';
import { failureOf } from './engine-failures.ts';
import type { EngineParts } from './engine-parts.ts';
import type { EngineRequest } from './engine-request.ts';
import type { ChoiceFailure } from './sampling/token-chooser.ts';
import type { ActiveRequest } from './sequences/active-request.ts';
import type { Sequence } from './sequences/sequence.ts';
import type { RequestFailure } from './step-output.ts';

/** The requests that are in an engine, from their submit to their end, whatever that is; each end is told once. */
export class OpenRequests {
  readonly #parts: EngineParts;
  readonly #requests = new Map<string, ActiveRequest>();
  readonly #cancelled: ActiveRequest[] = [];

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  /** A second submit of an attempt that still runs is ignored. */
  submit(input: EngineRequest): void {
    const key = attemptKey(input.requestId, input.epoch);
    if (this.#requests.has(key)) return;
    const { intake, outbox, scheduler } = this.#parts;
    const request = intake.take(input);
    if ('code' in request) {
      outbox.failed(request);
      return;
    }
    this.#finishDelivered(request);
    if (request.finished) return;
    this.#requests.set(key, request);
    scheduler.add(request);
  }

  /** Its sequences go on until `dropCancelled`. */
  cancel(requestId: string, epoch: number): void {
    const request = this.#requests.get(attemptKey(requestId, epoch));
    if (request !== undefined) this.#cancel(request);
  }

  cancelAll(): void {
    for (const request of this.#requests.values()) this.#cancel(request);
  }

  /** @param keeps what they have computed, for later prompts; not behind a run that failed, which leaves nobody knows what in its slots */
  dropCancelled(keeps = true): void {
    if (this.#cancelled.length === 0) return;
    for (const request of this.#cancelled.splice(0)) {
      if (keeps) for (const sequence of request.sequences) this.#parts.prefixes.saveEnd(sequence);
      for (const sequence of this.#parts.scheduler.abort(request)) this.#publishFinish(sequence);
      this.#requests.delete(request.key);
    }
  }

  /** Takes out sequences that came to their end, and empties the list; rows move. */
  finish(ended: Sequence[]): void {
    if (ended.length === 0) return;
    // Highest row first: a last row that ends as well is then not moved into a hole.
    ended.sort((a, b) => b.slot - a.slot);
    for (const sequence of ended) {
      if (sequence.phase === 'finished') continue;
      this.#publishFinish(sequence);
      this.#parts.prefixes.saveEnd(sequence);
      this.#parts.scheduler.finish(sequence);
      if (sequence.request.finished) this.#requests.delete(sequence.request.key);
    }
    ended.length = 0;
  }

  /** Takes out requests that can not go on, with the reason, and empties the map; rows move. */
  failAll(broken: Map<ActiveRequest, ChoiceFailure>): void {
    if (broken.size === 0) return;
    for (const [request, { problem, code }] of broken) this.fail(request, problem, code);
    broken.clear();
  }

  fail(request: ActiveRequest, message: string, code: RequestFailure['code'] = 'engine_failed'): void {
    if (!this.#requests.delete(request.key)) return;
    const { prefixes, scheduler, outbox } = this.#parts;
    // What is kept of its prompt may be at fault; for a constraint's dead end it is not.
    if (code === 'engine_failed') for (const sequence of request.sequences) prefixes.forget(sequence);
    scheduler.abort(request);
    outbox.failed({ ...failureOf(request.input, message), code });
  }

  /** The engine can not go on: its slots are nobody's any more. */
  lose(message: string): void {
    for (const request of this.#requests.values()) this.#parts.outbox.failed(failureOf(request.input, message));
    this.#requests.clear();
  }

  #cancel(request: ActiveRequest): void {
    if (request.cancelled) return;
    request.cancelled = true;
    this.#cancelled.push(request);
  }

  /** Choices whose last token was delivered, but not their end: all that is left is to say so. */
  #finishDelivered(request: ActiveRequest): void {
    for (const sequence of request.sequences) {
      if (sequence.phase === 'finished' || sequence.finishReason === null) continue;
      sequence.end();
      this.#publishFinish(sequence);
    }
  }

  #publishFinish(sequence: Sequence): void {
    const { requestId, epoch } = sequence.request.input;
    this.#parts.outbox.finished({
      requestId,
      epoch,
      choice: sequence.choice,
      reason: sequence.finishReason ?? 'cancelled',
      stopString: sequence.stopString,
      completionTokens: sequence.completionTokens,
      cachedPromptTokens: sequence.request.cachedPromptTokens,
    });
  }
}
