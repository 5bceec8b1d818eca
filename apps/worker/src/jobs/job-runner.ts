import { attemptKey, type ErrorCode, FIRST_EPOCH, type GenerateJob, type TokenTable } from '#contracts';
import type { EnginePort, StepOutput } from '#engine';
import { type Logger, preciseNowMs } from '#observability';
import type { RelayDialer, ResumedChoice } from '#relay';
import type { AttemptObserver, ClaimEnd, JobObserver } from '../observation/attempt-observer.ts';
import { Attempt, type MadeTokens } from './attempt.ts';
import { engineRequestOf, type PrefixSharing } from './engine-request-of.ts';
import { finishedOf, framesOf } from './frames-of.ts';
import { type ReportedRequest, reportedRequestOf, UnsettledUsage } from './unsettled-usage.ts';

export interface JobRunnerParts {
  readonly engine: Pick<EnginePort, 'submit' | 'cancel' | 'onStep'>;
  readonly dialer: Pick<RelayDialer, 'claim' | 'reaches' | 'publish' | 'onCancel' | 'onLost'>;
  readonly tokenTable: TokenTable;
  /** Hash of the card that this worker serves. */
  readonly cardHash: string;
  readonly prefixSharing: PrefixSharing;
  readonly logger: Logger;
  readonly observer: JobObserver;
  /** Tells the tenant's account what was made of a request whose API replica vanished, should nobody go on with it. */
  readonly reportUsage: (request: ReportedRequest, made: MadeTokens) => Promise<void>;
}

interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** How many jobs came to which end since the start; resumed ones are granted ones as well. */
export type JobCounts = Record<ClaimEnd, number>;

/**
 * Runs jobs: claims each at the API replica that waits for it, gives it to the engine, sends what the engine makes to
 * the replica, and settles when all choices have ended. A first attempt is given to the engine while its claim is on its way,
 * when the replica is a round trip away; what it makes follows the claim, and is delivered if that is granted. Any other job that nobody
 * waits for does not reach the engine.
 */
export class JobRunner {
  readonly counts: JobCounts = { granted: 0, resumed: 0, denied: 0, refused: 0, repeated: 0 };
  readonly #parts: JobRunnerParts;
  readonly #attempts = new Map<string, Attempt>();
  readonly #unsettled = new UnsettledUsage();

  constructor(parts: JobRunnerParts) {
    this.#parts = parts;
    parts.engine.onStep((output) => this.#publish(output));
    parts.dialer.onCancel((requestId, epoch, reason) => this.#cancel(requestId, epoch, reason));
    parts.dialer.onLost((requestId, epoch) => this.#lose(requestId, epoch));
  }

  /** Attempts that were granted and have not ended. */
  get running(): number {
    return this.#attempts.size;
  }

  /**
   * Settles when the attempt has ended, whatever its end; the client learns of it through the relay.
   * @param offered by the replica that it names
   */
  async run(job: GenerateJob, signal: AbortSignal, offered = false): Promise<void> {
    const key = attemptKey(job.requestId, job.epoch);
    if (this.#attempts.has(key)) {
      // The lock was lost and the queue delivered the job again; the run that is under way goes on.
      this.#count('repeated');
      return;
    }
    const attempt = new Attempt(job, this.#parts.observer.attempt(job));
    this.#attempts.set(key, attempt);
    try {
      const { requestId, epoch, choices, relayAddress } = job;
      const claiming = this.#parts.dialer.claim({ requestId, epoch, choices, relayAddress, offered });
      if (this.#mayBegin(job) && !signal.aborted) this.#submit(job, null, attempt, signal);
      const claim = await claiming;
      if (claim === 'denied') {
        this.#count('denied');
        this.#parts.logger.debug(namesOf(job), 'nobody waits for the job');
        await this.#abandon(attempt);
        return;
      }
      this.#count('granted');
      await this.#runGranted(job, claim === 'granted' ? null : claim.resume, attempt, signal);
    } catch (error) {
      this.#giveUp(attempt);
      throw error;
    } finally {
      this.#attempts.delete(key);
      attempt.observer.ended(preciseNowMs());
      this.#parts.logger.debug(namesOf(job), 'attempt is over');
    }
    if (attempt.made.completionTokens === 0) return;
    if (attempt.lost) await this.#report(reportedRequestOf(job), attempt.made);
    else this.#unsettled.keep(key, reportedRequestOf(job), attempt.made);
  }

  /** Changes nothing where the replica did settle it. */
  async #report(request: ReportedRequest, made: MadeTokens): Promise<void> {
    try {
      await this.#parts.reportUsage(request, made);
    } catch (err) {
      this.#parts.logger.warn({ ...request, ...made, err }, 'what was made could not be noted');
    }
  }

  #count(end: ClaimEnd): void {
    this.counts[end] += 1;
    this.#parts.observer.claim(end);
  }

  /** Ends everything that runs with an error to its client; the engine is not asked. */
  failAll(code: ErrorCode, message: string): void {
    for (const attempt of [...this.#attempts.values()]) this.#fail(attempt, { code, message });
  }

  async #runGranted(
    job: GenerateJob,
    resume: readonly ResumedChoice[] | null,
    attempt: Attempt,
    signal: AbortSignal,
  ): Promise<void> {
    const resumedTokens = resume?.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0) ?? 0;
    attempt.observer.granted(resumedTokens, preciseNowMs());
    if (resume !== null) {
      this.#count('resumed');
      const ended = resume.flatMap(({ finished, tokenIds }, choice) => (finished ? [{ choice, tokenIds }] : []));
      attempt.leaveOut(
        ended.map(({ choice }) => choice),
        ended.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0),
      );
    }
    // It failed before the answer came, or it is whole already.
    if (attempt.over) return;
    const refusal = this.#refusalOf(job);
    if (attempt.submitted) {
      if (resume !== null) this.#startOver(attempt);
    } else if (refusal !== null) {
      this.#count('refused');
      this.#fail(attempt, refusal);
    } else if (attempt.cancelled) {
      this.#finishCancelled(attempt);
    } else if (signal.aborted) {
      this.#shutDown(attempt);
    } else {
      this.#submit(job, resume, attempt, signal);
    }
    await attempt.ended;
  }

  /** Nothing was delivered of a first attempt, so there is nothing to wait for that its claim could tell but a refusal. */
  #mayBegin(job: GenerateJob): boolean {
    return job.epoch === FIRST_EPOCH && this.#parts.dialer.reaches(job.relayAddress) && this.#refusalOf(job) === null;
  }

  #submit(job: GenerateJob, resume: readonly ResumedChoice[] | null, attempt: Attempt, signal: AbortSignal): void {
    attempt.submitted = true;
    attempt.observer.submitted(preciseNowMs());
    signal.addEventListener('abort', () => this.#shutDown(attempt), { once: true });
    this.#parts.engine.submit(engineRequestOf(job, resume, this.#parts.prefixSharing));
  }

  /** Settles when the engine has let go of it, if it ever had it. */
  async #abandon(attempt: Attempt): Promise<void> {
    if (!attempt.submitted) return;
    this.#parts.engine.cancel(attempt.requestId, attempt.epoch);
    await attempt.ended;
  }

  /** No replica delivers anything before the first attempt; one that says it did gets another attempt, which goes on behind it. */
  #startOver(attempt: Attempt): void {
    this.#parts.engine.cancel(attempt.requestId, attempt.epoch);
    const message = 'The worker began anew what another attempt had begun already.';
    this.#fail(attempt, { code: 'worker_lost', message });
  }

  /** A job's deadline is its API replica's to keep: this machine's clock may be another. */
  #refusalOf(job: GenerateJob): Refusal | null {
    if (job.cardHash !== this.#parts.cardHash) {
      const message = `The prompt was made with model card ${job.cardHash}, but this worker serves ${job.model} with card ${this.#parts.cardHash}. Send the request again.`;
      return { code: 'unavailable', message };
    }
    return null;
  }

  #publish(output: StepOutput): void {
    this.#parts.dialer.publish(framesOf(output, this.#parts.tokenTable));
    this.#observe(output);
    for (const { requestId, epoch, choice, reason, completionTokens, cachedPromptTokens } of output.finished) {
      const attempt = this.#attempts.get(attemptKey(requestId, epoch));
      attempt?.choiceEnded(choice, reason, completionTokens, cachedPromptTokens);
    }
    for (const { requestId, epoch, code, message } of output.failed) {
      const attempt = this.#attempts.get(attemptKey(requestId, epoch));
      this.#parts.logger.warn({ requestId, tenantId: attempt?.tenantId, epoch, code }, message);
      attempt?.fail(code);
    }
  }

  /** After the frames have left, so that no client waits for it. */
  #observe({ seated, deltas }: StepOutput): void {
    const nowMs = preciseNowMs();
    for (const { requestId, epoch, atMs } of seated) this.#observerOf(requestId, epoch)?.seated(atMs);
    for (const { requestId, epoch, choice, tokenIds } of deltas) {
      this.#observerOf(requestId, epoch)?.tokens(choice, tokenIds.length, nowMs);
    }
  }

  #observerOf(requestId: string, epoch: number): AttemptObserver | undefined {
    return this.#attempts.get(attemptKey(requestId, epoch))?.observer;
  }

  #lose(requestId: string, epoch: number): void {
    const key = attemptKey(requestId, epoch);
    const attempt = this.#attempts.get(key);
    if (attempt !== undefined) attempt.lost = true;
    const ended = this.#unsettled.take(key);
    if (ended !== null) void this.#report(ended.request, ended.made);
    this.#cancel(requestId, epoch, 'the API replica is gone');
  }

  /** Between a grant and the submit the engine does not know the request yet, so the attempt remembers. */
  #cancel(requestId: string, epoch: number, reason: string): void {
    const attempt = this.#attempts.get(attemptKey(requestId, epoch));
    if (attempt === undefined) return;
    attempt.cancelled = true;
    attempt.observer.cancelled(reason, preciseNowMs());
    this.#parts.logger.debug({ ...namesOf(attempt), reason }, 'cancelled');
    this.#parts.engine.cancel(requestId, epoch);
  }

  #shutDown(attempt: Attempt): void {
    const message = 'The worker shuts down and its grace time is over. Send the request again.';
    this.#fail(attempt, { code: 'worker_draining', message });
    this.#parts.engine.cancel(attempt.requestId, attempt.epoch);
  }

  #fail(attempt: Attempt, { code, message }: Refusal): void {
    const { requestId, epoch } = attempt;
    const failed = [{ requestId, epoch, code, message }];
    this.#parts.dialer.publish({ step: 0, deltas: [], finished: [], failed });
    attempt.fail(code);
  }

  /** A claim is granted whatever became of the attempt meanwhile, and its client would wait for ever. */
  #giveUp(attempt: Attempt): void {
    const { requestId, epoch, submitted } = attempt;
    if (submitted) this.#parts.engine.cancel(requestId, epoch);
    const message = 'The worker could not run the request. Send the request again.';
    this.#fail(attempt, { code: 'engine_failed', message });
  }

  #finishCancelled(attempt: Attempt): void {
    const { requestId, epoch, choicesToRun } = attempt;
    const finished = choicesToRun.map((choice) =>
      finishedOf({
        requestId,
        epoch,
        choice,
        reason: 'cancelled',
        stopString: null,
        completionTokens: 0,
        cachedPromptTokens: 0,
      }),
    );
    this.#parts.dialer.publish({ step: 0, deltas: [], finished, failed: [] });
    attempt.end();
  }
}

/** What log lines about an attempt begin with. */
function namesOf({ requestId, tenantId, epoch }: Pick<GenerateJob, 'requestId' | 'tenantId' | 'epoch'>) {
  return { requestId, tenantId, epoch };
}
