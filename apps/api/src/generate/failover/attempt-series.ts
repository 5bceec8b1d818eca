import { setTimeout as sleep } from 'node:timers/promises';
import type { OfferGround } from '#admission';
import { type GenerateJob, MillraceError, relay } from '#contracts';
import type { Logger } from '#observability';
import type { RelaySink, RelaySubscription } from '#relay';
import type { RefusedRequest } from '#requests';
import type { AttemptsObserver } from '../../observation/request-observer.ts';
import type { CancelLatency, CancelPhase } from '../../requests/cancel-latency.ts';
import type { Answer } from '../answer.ts';
import type { FrameSink } from '../kept/frame-sink.ts';
import type { OffersPort } from '../offers/offers-port.ts';
import { PendingOffer } from '../offers/pending-offer.ts';
import type { QueuePort } from '../queue-port.ts';
import type { RelayPort } from '../relay-port.ts';
import { DeliveredTokens } from './delivered-tokens.ts';
import type { FailoverOptions } from './failover-options.ts';
import { fingerprintOfJob } from './fingerprint-of-job.ts';
import { LossCount } from './loss-count.ts';
import { UngrantedWatch } from './ungranted-watch.ts';

export interface AttemptSeriesParts {
  readonly relay: RelayPort;
  readonly queue: QueuePort;
  /** Whether a live worker serves the model, as far as is known. */
  readonly isServed: () => boolean;
  readonly options: FailoverOptions;
  readonly logger: Logger;
  readonly cancelLatency: CancelLatency;
  readonly observer: AttemptsObserver;
  /** Workers that take jobs without the queue; null where all go through it. */
  readonly offers: OffersPort | null;
  /** Hears of every attempt after the first. */
  readonly onAttempt?: (epoch: number) => void;
  /** Hears of a request that is not tried again, because it may be what ends its workers. */
  readonly onRefused?: (refused: RefusedRequest) => void;
  /** Keeps what is delivered, for other replicas; null when nobody asked for that. */
  readonly recorder?: FrameSink | null;
}

const { FINISH_REASON_CANCELLED } = relay.FinishReason;

/** At most three bytes each on the wire, well within the relay's largest message. */
const MAX_RESUMED_TOKENS = 1_000_000;

/** A worker that has not stopped a sequence by then is not waited for; what it still sends is refused. */
const STOP_WAIT_MS = 10_000;

/**
 * The attempts of one request, one after another, until its answer is over. An attempt that loses its worker, fails in
 * its engine or is handed over by a worker that drains is followed by one with the next epoch, at the front of the queue,
 * which goes on behind what was delivered; the answer's listener notices nothing but the time it takes. A request that
 * ends its workers is recognised by `attempts` losses and refused; workers that come back were not ended by it (`LossCount`).
 */
export class AttemptSeries implements RelaySink, Disposable {
  readonly #parts: AttemptSeriesParts;
  readonly #answer: Answer;
  readonly #delivered: DeliveredTokens;
  #job: GenerateJob;
  #subscription: RelaySubscription | null = null;
  #watch: UngrantedWatch | null = null;
  #granted = false;
  #offer: PendingOffer | null = null;
  readonly #losses: LossCount;
  /** `performance.now()` of the loss that no worker has made good yet. */
  #lostAtMs: number | null = null;
  #unservedSinceMs: number | null = null;
  /** Settles when a worker that was told to stop has done so, or is lost. */
  readonly #stopped = Promise.withResolvers<void>();
  #stopReason = '';

  constructor(job: GenerateJob, answer: Answer, parts: AttemptSeriesParts) {
    this.#job = job;
    this.#answer = answer;
    this.#parts = parts;
    this.#losses = new LossCount((processId) => parts.relay.attached(processId));
    this.#delivered = new DeliveredTokens(job.choices);
  }

  /**
   * Opens the first attempt, and offers its job to a worker where it may be, or queues it.
   * @param enqueue is told which workers have computed the beginning of the prompt, where others have not
   * @throws MillraceError unavailable
   */
  async begin(
    mayOffer: OfferGround | null,
    enqueue: (queue: QueuePort, job: GenerateJob, computedAt: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const { queue, offers } = this.#parts;
    const { requestId, epoch, choices } = this.#job;
    this.#subscription = this.#parts.relay.open(requestId, epoch, choices, this);
    this.#parts.observer.queued(epoch);
    if (mayOffer !== null && offers !== null) {
      this.#offer = new PendingOffer(offers, this.#job, mayOffer);
      // Of one that ended meanwhile, nothing is to be queued.
      if ((await this.#offer.taken()) || this.#isOver) return;
    }
    await enqueue(queue, this.#job, offers?.computedAt(this.#job) ?? []);
    this.#watchUnlessGranted();
  }

  /** Takes in what another replica delivered, before `takeOver`; it is not recorded again. */
  get delivered(): Pick<FrameSink, 'delta' | 'finished'> {
    return {
      delta: (delta) => {
        this.#delivered.add(delta.choice, delta.tokenIds);
        this.#answer.delta(delta);
      },
      finished: (finished) => {
        this.#delivered.finish(finished.choice);
        this.#answer.finished(finished);
      },
    };
  }

  /** Goes on behind what another replica delivered, with this epoch. */
  takeOver(epoch: number): void {
    this.#job = { ...this.#job, epoch: epoch - 1 };
    this.#goOn();
  }

  /**
   * Stops whatever the current attempt has come to: a queued job leaves the queue, a running one its worker. The answer
   * is over before. Settles, and never rejects, when that is done; nothing can be done with the series afterwards.
   */
  async end(reason: string): Promise<void> {
    const beganMs = performance.now();
    const phase = this.#phase();
    this.#stopReason = reason;
    this.#watch?.stop();
    const { requestId, epoch } = this.#job;
    if (this.#granted) {
      this.#subscription?.cancel(reason);
      const late = new AbortController();
      const waited = sleep(STOP_WAIT_MS, undefined, { signal: late.signal, ref: false }).catch(() => {});
      await Promise.race([this.#stopped.promise, waited]);
      late.abort();
    } else {
      // From here on its claim is denied, so one that stays queued because Redis is away is harmless.
      this[Symbol.dispose]();
      await this.#parts.queue.remove(requestId, epoch).catch(() => false);
    }
    this[Symbol.dispose]();
    this.#parts.cancelLatency.observe(phase, performance.now() - beganMs, requestId);
  }

  [Symbol.dispose](): void {
    this.#watch?.stop();
    this.#subscription?.[Symbol.dispose]();
  }

  granted(workerId: string): void {
    if (this.#isOver) {
      this.#subscription?.cancel(this.#stopReason);
      return;
    }
    this.#granted = true;
    this.#watch?.stop();
    this.#offer?.granted();
    this.#parts.offers?.granted(this.#job, workerId);
    this.#parts.observer.granted(workerId);
    if (this.#lostAtMs !== null) {
      const { requestId, tenantId, epoch } = this.#job;
      const waitedMs = Math.round(performance.now() - this.#lostAtMs);
      const tokens = this.#delivered.total;
      this.#parts.logger.info({ requestId, tenantId, epoch, workerId, waitedMs, tokens }, 'goes on');
    }
    this.#lostAtMs = null;
    if (this.#answer.workerId === null) this.#answer.granted(workerId);
  }

  delta(delta: relay.Delta): void {
    if (this.#isOver) return;
    this.#delivered.add(delta.choice, delta.tokenIds);
    this.#answer.delta(delta);
    this.#parts.recorder?.delta(delta);
  }

  finished(finished: relay.Finished): void {
    if (finished.reason === FINISH_REASON_CANCELLED && !this.#isOver) {
      this.failed(new MillraceError('engine_failed', 'The worker stopped the request before it was complete.'));
      return;
    }
    this.#delivered.finish(finished.choice);
    if (!this.#isOver) {
      this.#answer.finished(finished);
      this.#parts.recorder?.finished(finished);
    }
    if (this.#delivered.complete) this.#stopped.resolve();
  }

  failed(error: MillraceError): void {
    this.#stopped.resolve();
    const { requestId, tenantId, epoch } = this.#job;
    const handedOver = error.code === 'worker_draining';
    if (this.#isOver || !(handedOver || error.code === 'worker_lost' || error.code === 'engine_failed')) {
      this.#answer.failed(error);
      return;
    }
    this.#parts.observer.lost(error.code);
    if (!handedOver) this.#losses.add(error);
    const { attempts } = this.#parts.options;
    const facts = { requestId, tenantId, epoch, code: error.code, lostAttempts: this.#losses.count };
    this.#parts.logger.warn(facts, error.message);
    if (!handedOver && this.#losses.exhausts(attempts)) this.#refuse(error);
    else this.#goOn();
  }

  get #isOver(): boolean {
    return this.#answer.state !== 'generating';
  }

  #phase(): CancelPhase {
    if (this.#lostAtMs !== null) return 'failover';
    if (!this.#granted) return 'queued';
    return this.#delivered.total === 0 ? 'prefill' : 'decode';
  }

  /** Opens the next attempt and queues it at the front. */
  #goOn(): void {
    this.#watch?.stop();
    this.#granted = false;
    this.#lostAtMs ??= performance.now();
    if (this.#delivered.total > MAX_RESUMED_TOKENS) {
      const tokens = this.#delivered.total;
      this.#answer.failed(
        new MillraceError('worker_lost', `The worker was lost after ${tokens} tokens, too many for another to go on.`),
      );
      return;
    }
    // The client was let in once; no deadline of the queue counts for it any more.
    this.#job = { ...this.#job, epoch: this.#job.epoch + 1, enqueuedAtMs: Date.now(), deadlineMs: null };
    const { requestId, epoch, choices } = this.#job;
    try {
      this.#subscription = this.#parts.relay.open(requestId, epoch, choices, this, this.#delivered.resume());
    } catch (error) {
      this.#answer.failed(error instanceof MillraceError ? error : new MillraceError('internal_error', String(error)));
      return;
    }
    this.#parts.onAttempt?.(epoch);
    this.#parts.observer.queued(epoch);
    this.#parts.recorder?.attempt(epoch);
    void this.#enqueueFirst(this.#job);
  }

  /** Streams live on without Redis, so a request that has to be queued while it is away waits for it. */
  async #enqueueFirst(job: GenerateJob): Promise<void> {
    for (;;) {
      try {
        await this.#parts.queue.addFirst(job);
        break;
      } catch {
        if (this.#isOver || this.#failWhenLate()) return;
        await sleep(this.#parts.options.enqueueRetryMs);
        // An answer that came too late was an answer all the same: the job may be running.
        if (this.#isOver || this.#granted || this.#job !== job) return;
      }
    }
    if (this.#isOver) await this.#parts.queue.remove(job.requestId, job.epoch).catch(() => false);
    else this.#watchUnlessGranted();
  }

  #watchUnlessGranted(): void {
    this.#watch?.stop();
    if (this.#granted || this.#isOver) return;
    const { requestId, tenantId, epoch } = this.#job;
    this.#watch = new UngrantedWatch({
      options: this.#parts.options,
      look: () => this.#parts.queue.stateOf(requestId, epoch),
      onLost: (why) => {
        if (this.#isOver || this.#failWhenLate()) return;
        this.#parts.observer.lost('unclaimed');
        this.#parts.logger.warn({ requestId, tenantId, epoch }, `the job is queued again: ${why}`);
        this.#goOn();
      },
      onWaiting: () => void this.#failWhenLate(),
    });
  }

  /** Ends a wait that is over its limit. @returns whether it did */
  #failWhenLate(): boolean {
    const { waitMs } = this.#parts.options;
    const now = performance.now();
    this.#unservedSinceMs = this.#parts.isServed() ? null : (this.#unservedSinceMs ?? now);
    if (this.#isOver) return true;
    const { model, requestId } = this.#job;
    if (this.#lostAtMs !== null && now - this.#lostAtMs > waitMs) {
      const message = `The worker of request ${requestId} was lost, and no other went on within ${waitMs} ms (MILLRACE_FAILOVER_WAIT_MS). Send the request again.`;
      return this.#giveUp(new MillraceError('worker_lost', message));
    }
    if (this.#unservedSinceMs !== null && now - this.#unservedSinceMs > waitMs) {
      const message = `No worker has served "${model}" for ${waitMs} ms (MILLRACE_FAILOVER_WAIT_MS). Send the request again later.`;
      return this.#giveUp(new MillraceError('no_workers', message));
    }
    return false;
  }

  #giveUp(error: MillraceError): true {
    this.#answer.failed(error);
    return true;
  }

  #refuse(cause: MillraceError): void {
    const { requestId, epoch, model, tenantId } = this.#job;
    const refused: RefusedRequest = {
      requestId,
      tenantId,
      model,
      refusedAtMs: Date.now(),
      lost: 'worker',
      lostAttempts: this.#losses.count,
      lostIds: this.#losses.workerIds,
      promptTokens: this.#job.promptTokenIds.length,
      deliveredTokens: this.#delivered.total,
      fingerprint: fingerprintOfJob(this.#job),
      cause: cause.message,
    };
    this.#parts.logger.error({ ...refused, epoch }, 'request refused: it may be what ends its workers');
    this.#parts.onRefused?.(refused);
    const message = `Request ${requestId} was tried ${this.#losses.total} times, and each time its worker was lost or failed (last: ${cause.message}) It is not tried again; the operator finds it by its id.`;
    this.#answer.failed(new MillraceError('attempts_exhausted', message, { cause }));
  }
}
