import type { GenerateJob } from '#contracts';
import type { FinishReason } from '#engine';
import { ATTRIBUTES, NO_SPAN, preciseNowMs, SPANS, type TraceSpan, type Tracing } from '#observability';
import type { AttemptObserver, ClaimEnd, JobObserver } from './attempt-observer.ts';

/** Draws the spans of every attempt, as children of the request's trace on the API. Tells another observer everything as well. */
export class TracedJobs implements JobObserver {
  readonly #tracing: Tracing;
  readonly #workerId: string;
  readonly #next: JobObserver;

  constructor(tracing: Tracing, workerId: string, next: JobObserver) {
    this.#tracing = tracing;
    this.#workerId = workerId;
    this.#next = next;
  }

  attempt(job: GenerateJob): AttemptObserver {
    const span = this.#tracing.begin(SPANS.attempt(job.model), job.traceparent, {
      role: 'consumer',
      attributes: {
        [ATTRIBUTES.messagingSystem]: 'bullmq',
        [ATTRIBUTES.destination]: job.model,
        [ATTRIBUTES.requestModel]: job.model,
        [ATTRIBUTES.requestId]: job.requestId,
        [ATTRIBUTES.tenant]: job.tenantId,
        [ATTRIBUTES.epoch]: job.epoch,
        [ATTRIBUTES.worker]: this.#workerId,
      },
    });
    const next = this.#next.attempt(job);
    return span.recording ? new TracedAttempt(span, job, next) : next;
  }

  claim(end: ClaimEnd): void {
    this.#next.claim(end);
  }
}

class TracedAttempt implements AttemptObserver {
  readonly #span: TraceSpan;
  readonly #promptTokens: number;
  readonly #next: AttemptObserver;
  readonly #claim: TraceSpan;
  #engineWait: TraceSpan = NO_SPAN;
  #prefill: TraceSpan = NO_SPAN;
  #decode: TraceSpan = NO_SPAN;
  #lastTokenAtMs = 0;
  #tokens = 0;
  readonly #reasons: FinishReason[] = [];

  constructor(span: TraceSpan, job: GenerateJob, next: AttemptObserver) {
    this.#span = span;
    this.#promptTokens = job.promptTokenIds.length;
    this.#next = next;
    this.#claim = span.child(SPANS.claim);
  }

  granted(resumedTokens: number, atMs: number): void {
    this.#next.granted(resumedTokens, atMs);
    this.#claim.end(atMs);
    this.#span.set({ [ATTRIBUTES.resumedTokens]: resumedTokens });
  }

  submitted(atMs: number): void {
    this.#next.submitted(atMs);
    this.#engineWait = this.#span.child(SPANS.engineWait, { atMs });
  }

  seated(atMs: number): void {
    this.#next.seated(atMs);
    if (this.#prefill !== NO_SPAN) return;
    this.#engineWait.end(atMs);
    const attributes = { [ATTRIBUTES.inputTokens]: this.#promptTokens };
    this.#prefill = this.#span.child(SPANS.prefill, { atMs, attributes });
  }

  tokens(choice: number, count: number, atMs: number): void {
    this.#next.tokens(choice, count, atMs);
    if (this.#tokens === 0) {
      this.#prefill.end(atMs);
      this.#decode = this.#span.child(SPANS.decode, { atMs });
    }
    this.#tokens += count;
    this.#lastTokenAtMs = atMs;
  }

  choiceEnded(choice: number, reason: FinishReason): void {
    this.#next.choiceEnded(choice, reason);
    this.#reasons.push(reason);
  }

  cancelled(reason: string, atMs: number): void {
    this.#next.cancelled(reason, atMs);
    this.#span.event('cancel', { [ATTRIBUTES.cancelReason]: reason }, atMs);
  }

  failed(code: string): void {
    this.#next.failed(code);
    this.#span.fail(code, '');
  }

  ended(atMs: number): void {
    this.#next.ended(atMs);
    this.#claim.end(atMs);
    this.#engineWait.end(atMs);
    this.#prefill.end(atMs);
    this.#decode.set({ [ATTRIBUTES.outputTokens]: this.#tokens });
    this.#decode.end(this.#lastTokenAtMs || preciseNowMs());
    this.#span.set({
      [ATTRIBUTES.inputTokens]: this.#promptTokens,
      [ATTRIBUTES.outputTokens]: this.#tokens,
      [ATTRIBUTES.finishReasons]: this.#reasons,
    });
    this.#span.end(atMs);
  }
}
