import { TransientMap } from '#collections';
import { isErrorCode, MillraceError, type relay } from '#contracts';
import { RelayFenceError } from '../errors/relay-fence-error.ts';
import { WorkerLostError } from '../errors/worker-lost-error.ts';
import type { RelaySink, RelaySubscription, ResumedChoice } from '../relay-ports.ts';
import { Attempt, type AttemptHolder } from './attempt.ts';
import { REFUSAL_CAUSES, type RefusalCause } from './refusal-cause.ts';

interface Frame {
  readonly requestId: string;
  readonly epoch: number;
}

/**
 * The fence of one API replica: which attempts are open, which stream holds each, and which tokens come next.
 *
 * A frame reaches a sink only when its request is open with the frame's epoch, the stream that sent it was granted
 * the attempt, and its first token is the next one of its choice. Frames that belong to nobody any more (a closed
 * request, an older epoch, another stream) are counted and dropped, since they are normal after a cancel or a
 * failover. Frames of the rightful stream that do not fit mean lost or repeated text: they end the attempt.
 */
export class AttemptRegister {
  readonly refusedTotal: Record<RefusalCause, number>;
  tokensTotal = 0;
  readonly #attempts = new TransientMap<string, Attempt>();
  readonly #onEmpty = new Set<() => void>();

  constructor() {
    this.refusedTotal = Object.fromEntries(REFUSAL_CAUSES.map((cause) => [cause, 0])) as Record<RefusalCause, number>;
  }

  get size(): number {
    return this.#attempts.size;
  }

  /**
   * Opens an attempt. A newer epoch replaces an open older one, whose worker is told to stop.
   * @param resume what earlier attempts delivered of each choice, for the worker and the fence; not changed meanwhile
   * @throws MillraceError `internal_error` when the request is open with the same or a newer epoch.
   */
  open(
    requestId: string,
    epoch: number,
    choices: number,
    sink: RelaySink,
    resume: readonly ResumedChoice[] = [],
  ): RelaySubscription {
    const current = this.#attempts.get(requestId);
    if (current !== undefined) {
      if (current.epoch >= epoch) {
        throw new MillraceError(
          'internal_error',
          `Request ${requestId} is already open on the relay with epoch ${current.epoch}, so epoch ${epoch} can not ` +
            'be opened; open a greater epoch or dispose the first subscription.',
        );
      }
      this.#abandon(current, `superseded by epoch ${epoch}`);
    }
    const attempt = new Attempt(requestId, epoch, choices, sink, resume);
    this.#attempts.set(requestId, attempt);
    return {
      cancel: (reason) => {
        if (!attempt.ended) attempt.holder?.sendCancel(requestId, epoch, reason);
      },
      [Symbol.dispose]: () => this.#abandon(attempt, 'closed'),
    };
  }

  /**
   * Grants the attempt to `holder`.
   * @returns what it goes on behind, or null when its client has gone, it has ended, a stream holds it already, or it
   *   began elsewhere and the holder can not go on with it
   */
  claim(holder: AttemptHolder, frame: Frame): readonly ResumedChoice[] | null {
    const attempt = this.#attempts.get(frame.requestId);
    if (attempt === undefined || attempt.epoch !== frame.epoch || attempt.holder !== null) return null;
    if (attempt.resume.length > 0 && !holder.canResume) return null;
    attempt.grant(holder);
    this.#tell(attempt, () => attempt.sink.granted(holder.workerId));
    return attempt.ended ? null : attempt.resume;
  }

  step(holder: AttemptHolder, batch: relay.StepBatch): void {
    for (const delta of batch.deltas) this.#delta(holder, delta);
    for (const finished of batch.finished) this.#finished(holder, finished);
    for (const failed of batch.failed) this.#failed(holder, failed);
  }

  /** Ends every attempt that `holder` was granted and has not finished. */
  lose(holder: AttemptHolder, why: string): void {
    const { workerId, processId } = holder;
    for (const attempt of holder.attempts.values()) this.#fail(attempt, new WorkerLostError(workerId, why, processId));
  }

  /** Ends every open attempt, for example because the replica stops; their workers are told to stop. */
  failAll(error: MillraceError): void {
    for (const attempt of this.#attempts.values()) {
      attempt.holder?.sendCancel(attempt.requestId, attempt.epoch, error.message);
      this.#fail(attempt, error);
    }
  }

  /** Resolves when no attempt is open. */
  whenEmpty(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.add(resolve));
  }

  #delta(holder: AttemptHolder, delta: relay.Delta): void {
    const attempt = this.#admit(holder, delta);
    if (attempt === null) return;
    const { choice, firstIndex, tokenIds } = delta;
    const next = attempt.fence.nextIndex(choice);
    const refusal = attempt.fence.advance(choice, firstIndex, tokenIds.length);
    if (refusal === null) {
      this.tokensTotal += tokenIds.length;
      this.#tell(attempt, () => attempt.sink.delta(delta));
    } else {
      this.#breach(attempt, holder, refusal, `choice ${choice}, index ${firstIndex} where ${next} comes next`);
    }
  }

  #finished(holder: AttemptHolder, finished: relay.Finished): void {
    const attempt = this.#admit(holder, finished);
    if (attempt === null) return;
    const refusal = attempt.fence.finish(finished.choice);
    if (refusal === null) {
      if (attempt.fence.finished) this.#remove(attempt);
      this.#tell(attempt, () => attempt.sink.finished(finished));
    } else {
      this.#breach(attempt, holder, refusal, `end of choice ${finished.choice}`);
    }
  }

  #failed(holder: AttemptHolder, failed: relay.Failed): void {
    const attempt = this.#admit(holder, failed);
    if (attempt === null) return;
    const code = isErrorCode(failed.code) ? failed.code : 'engine_failed';
    this.#fail(attempt, new MillraceError(code, failed.message));
  }

  #admit(holder: AttemptHolder, frame: Frame): Attempt | null {
    const attempt = this.#attempts.get(frame.requestId);
    if (attempt === undefined) return this.#refuse('unknown_request');
    if (attempt.epoch !== frame.epoch) return this.#refuse('stale_epoch');
    if (attempt.holder !== holder) return this.#refuse('foreign_worker');
    return attempt;
  }

  #refuse(cause: RefusalCause): null {
    this.refusedTotal[cause] += 1;
    return null;
  }

  #breach(attempt: Attempt, holder: AttemptHolder, refusal: RefusalCause, detail: string): void {
    this.#refuse(refusal);
    holder.sendCancel(attempt.requestId, attempt.epoch, `frame refused: ${refusal}`);
    this.#fail(attempt, new RelayFenceError(refusal, holder.workerId, detail));
  }

  /** A sink that throws ends its own attempt, never the stream that all requests of the worker share. */
  #tell(attempt: Attempt, call: () => void): void {
    try {
      call();
    } catch (cause) {
      attempt.holder?.sendCancel(attempt.requestId, attempt.epoch, 'the request failed at the API');
      this.#fail(attempt, new MillraceError('internal_error', 'The answer could not be delivered.', { cause }));
    }
  }

  #fail(attempt: Attempt, error: MillraceError): void {
    if (attempt.ended) return;
    this.#remove(attempt);
    try {
      attempt.sink.failed(error);
    } catch {
      // The sink was already told that its attempt is over; there is nobody left to tell.
    }
  }

  #abandon(attempt: Attempt, reason: string): void {
    if (attempt.ended) return;
    attempt.holder?.sendCancel(attempt.requestId, attempt.epoch, reason);
    this.#remove(attempt);
  }

  #remove(attempt: Attempt): void {
    attempt.end();
    if (this.#attempts.get(attempt.requestId) === attempt) this.#attempts.delete(attempt.requestId);
    if (this.size > 0) return;
    for (const resolve of this.#onEmpty) resolve();
    this.#onEmpty.clear();
  }
}
