import { type GenerateJob, MillraceError } from '#contracts';
import { ATTRIBUTES, FIRST_TOKEN, NO_SPAN, preciseNowMs, SPANS, type TraceSpan, type Tracing } from '#observability';
import type { AdmissionTicket } from '../generate/admission.ts';
import type { Answer } from '../generate/answer.ts';
import type { AnswerListener } from '../generate/answer-listener.ts';
import { outcomeOf } from '../generate/outcome.ts';
import type { ApiMetrics, ModelMetrics, TenantMetrics } from './api-metrics.ts';
import { FirstTokenListener } from './first-token-listener.ts';
import type { AskedRequest, AttemptsObserver, RequestObserver } from './request-observer.ts';
import { TextCollector } from './text-collector.ts';

export interface Arrival {
  readonly method: string;
  readonly route: string;
  /** W3C trace context that the client sent. */
  readonly traceparent: string | null;
}

const MS_PER_SECOND = 1_000;
/** For refusals from before the model was known. */
const NO_MODEL = 'none';

/** Counts one request into the metrics and draws its spans. */
export class ObservedRequest implements RequestObserver, AttemptsObserver {
  readonly #metrics: ApiMetrics;
  readonly #clientTraceparent: string | null;
  readonly #arrivedAtMs = preciseNowMs();
  readonly #http: TraceSpan;
  readonly #arrival: Arrival;
  #chat: TraceSpan = NO_SPAN;
  #queueWait: TraceSpan = NO_SPAN;
  #relay: TraceSpan = NO_SPAN;
  #deliver: TraceSpan = NO_SPAN;
  #model: ModelMetrics | null = null;
  #modelName = NO_MODEL;
  #job: GenerateJob | null = null;
  #tenant: TenantMetrics | null = null;
  #tenantId: string | null = null;
  #admitted = false;
  #refusal: MillraceError | null = null;
  #queuedAtMs = 0;
  #grantedOnce = false;
  /** The first loss since the last grant, Unix ms. */
  #loss: { readonly cause: string; readonly atMs: number } | null = null;
  #epoch: number | null = null;
  #over = false;
  readonly #withContent: boolean;
  readonly #texts: string[] = [];

  /** @param withContent whether prompts and answers may stand in spans */
  constructor(metrics: ApiMetrics, tracing: Tracing, arrival: Arrival, withContent: boolean) {
    this.#metrics = metrics;
    this.#clientTraceparent = arrival.traceparent;
    this.#arrival = arrival;
    this.#withContent = withContent;
    this.#http = tracing.on
      ? tracing.begin(SPANS.http(arrival.method, arrival.route), arrival.traceparent, {
          role: 'server',
          atMs: this.#arrivedAtMs,
          attributes: { [ATTRIBUTES.method]: arrival.method, [ATTRIBUTES.route]: arrival.route },
        })
      : NO_SPAN;
  }

  get traceparent(): string | null {
    return this.#chat.traceparent ?? this.#clientTraceparent;
  }

  get epoch(): number | null {
    return this.#epoch;
  }

  get attempts(): AttemptsObserver {
    return this;
  }

  authenticated(tenantId: string): void {
    this.#tenantId = tenantId;
    this.#tenant = this.#metrics.tenant(tenantId);
  }

  async preparing<Result>({ model, messages }: AskedRequest, work: () => Promise<Result>): Promise<Result> {
    this.#chat = this.#http.child(SPANS.chat(model));
    if (this.#withContent) this.#chat.set({ [ATTRIBUTES.inputMessages]: JSON.stringify(messages) });
    const span = this.#chat.child(SPANS.prepare);
    try {
      return await work();
    } catch (error) {
      failSpan(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  prepared(job: GenerateJob): void {
    this.#job = job;
    this.#modelName = job.model;
    this.#model = this.#metrics.model(job.model);
    if (!this.#chat.recording) return;
    const { sampling } = job;
    this.#chat.set({
      [ATTRIBUTES.operation]: 'chat',
      [ATTRIBUTES.provider]: 'millrace',
      [ATTRIBUTES.requestModel]: job.model,
      [ATTRIBUTES.responseModel]: job.model,
      [ATTRIBUTES.responseId]: job.requestId,
      [ATTRIBUTES.maxTokens]: job.stop.maxTokens,
      [ATTRIBUTES.choices]: job.choices,
      [ATTRIBUTES.temperature]: sampling.temperature,
      [ATTRIBUTES.topP]: sampling.topP,
      [ATTRIBUTES.seed]: sampling.seed,
      [ATTRIBUTES.frequencyPenalty]: sampling.frequencyPenalty,
      [ATTRIBUTES.presencePenalty]: sampling.presencePenalty,
      [ATTRIBUTES.inputTokens]: job.promptTokenIds.length,
      [ATTRIBUTES.requestId]: job.requestId,
      [ATTRIBUTES.tenant]: job.tenantId,
      [ATTRIBUTES.replica]: job.replicaId,
    });
  }

  async admitting(work: () => Promise<AdmissionTicket>): Promise<AdmissionTicket> {
    const span = this.#chat.child(SPANS.admit);
    const beganMs = performance.now();
    try {
      const ticket = await work();
      this.#admitted = true;
      this.#metrics.admitted.observe((performance.now() - beganMs) / MS_PER_SECOND);
      this.#metrics.admissions.child({ model_name: this.#modelName, outcome: 'admitted' }).inc();
      this.#countParameters();
      span.set({ [ATTRIBUTES.estimatedWaitMs]: ticket.waitMs });
      return ticket;
    } catch (error) {
      this.#metrics.refused.observe((performance.now() - beganMs) / MS_PER_SECOND);
      failSpan(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  queued(epoch: number): void {
    const nowMs = preciseNowMs();
    this.#epoch = epoch;
    if (this.#queuedAtMs === 0) this.#queuedAtMs = nowMs;
    this.#model?.waiting.set(this, nowMs);
    this.#queueWait = this.#chat.child(SPANS.queueWait, {
      role: 'producer',
      atMs: nowMs,
      attributes: {
        [ATTRIBUTES.messagingSystem]: 'bullmq',
        [ATTRIBUTES.destination]: this.#modelName,
        [ATTRIBUTES.epoch]: epoch,
      },
    });
  }

  granted(workerId: string): void {
    const nowMs = preciseNowMs();
    this.#model?.waiting.delete(this);
    this.#queueWait.end(nowMs);
    this.#relay = this.#chat.child(SPANS.relay, {
      role: 'consumer',
      atMs: nowMs,
      attributes: { [ATTRIBUTES.worker]: workerId },
    });
    if (!this.#grantedOnce) {
      const waited = (nowMs - this.#queuedAtMs) / MS_PER_SECOND;
      this.#model?.queueTime.observe(waited);
      this.#tenant?.queueSeconds.inc(waited);
    }
    this.#grantedOnce = true;
    if (this.#loss !== null) {
      this.#model?.failoverTime(this.#loss.cause).observe((nowMs - this.#loss.atMs) / MS_PER_SECOND);
    }
    this.#loss = null;
  }

  lost(cause: string): void {
    this.#loss ??= { cause, atMs: preciseNowMs() };
    this.#metrics.failovers.child({ model_name: this.#modelName, cause }).inc();
    for (const span of [this.#queueWait, this.#relay]) {
      span.fail(cause, 'the attempt is lost');
      span.end();
    }
  }

  listening(listener: AnswerListener): AnswerListener {
    const shown = this.#withContent && this.#chat.recording ? new TextCollector(listener, this.#texts) : listener;
    return new FirstTokenListener(shown, () => this.#firstToken());
  }

  ended(answer: Answer): void {
    if (this.#over) return;
    this.#over = true;
    const nowMs = preciseNowMs();
    const outcome = outcomeOf(answer);
    const { usage, finishReasons, failure } = answer;
    const model_name = this.#modelName;
    this.#model?.waiting.delete(this);
    this.#model?.endToEnd.observe((nowMs - this.#arrivedAtMs) / MS_PER_SECOND);
    this.#model?.generationTokens.observe(usage.completionTokens);
    for (const reason of finishReasons) {
      if (reason !== undefined) this.#metrics.success.child({ model_name, finished_reason: reason }).inc();
    }
    if (outcome === 'cancelled') this.#metrics.success.child({ model_name, finished_reason: 'abort' }).inc();
    if (outcome === 'failed') {
      this.#metrics.success.child({ model_name, finished_reason: 'error' }).inc();
      this.#metrics.failures.child({ model_name, code: failure?.code ?? 'internal_error' }).inc();
    }
    this.#tenant?.outcome(outcome).inc();
    if (outcome !== 'failed' && answer.workerId !== null) {
      this.#tenant?.promptTokens.inc(usage.promptTokens);
      this.#tenant?.cachedTokens.inc(usage.cachedPromptTokens);
      this.#tenant?.completionTokens.inc(usage.completionTokens);
    }
    this.#endSpans(answer, outcome);
  }

  refused(error: MillraceError): void {
    this.#refusal = error;
    if (!this.#admitted) {
      this.#metrics.admissions.child({ model_name: this.#modelName, outcome: error.code }).inc();
      this.#tenant?.outcome('refused').inc();
    }
    if (this.#chat !== NO_SPAN) failSpan(this.#chat, error);
  }

  responded(status: number): void {
    const { method, route } = this.#arrival;
    this.#metrics.http.child({ method, route, status: String(status) }).inc();
    this.#model?.waiting.delete(this);
    this.#deliver.end();
    this.#chat.end();
    if (!this.#http.recording) return;
    this.#http.set({ [ATTRIBUTES.status]: status, [ATTRIBUTES.tenant]: this.#tenantId });
    if (status >= 500) this.#http.fail(this.#refusal?.code ?? String(status), '');
    this.#http.end();
  }

  #countParameters(): void {
    const job = this.#job;
    if (job === null) return;
    this.#model?.promptTokens.observe(job.promptTokenIds.length);
    this.#model?.maxTokens.observe(job.stop.maxTokens);
    this.#model?.choices.observe(job.choices);
  }

  #firstToken(): void {
    const nowMs = preciseNowMs();
    const seconds = (nowMs - this.#arrivedAtMs) / MS_PER_SECOND;
    this.#model?.firstToken.observe(seconds);
    if (!this.#chat.recording) return;
    this.#chat.event(FIRST_TOKEN, {}, nowMs);
    this.#chat.set({ [ATTRIBUTES.timeToFirstChunk]: seconds });
    this.#deliver = this.#http.child(SPANS.deliver, { atMs: nowMs });
  }

  #endSpans(answer: Answer, outcome: 'completed' | 'cancelled' | 'failed'): void {
    if (!this.#chat.recording) return;
    const { usage, finishReasons, failure } = answer;
    this.#queueWait.end();
    this.#relay.set({ [ATTRIBUTES.outputTokens]: usage.completionTokens });
    this.#relay.end();
    this.#chat.set({
      [ATTRIBUTES.outputTokens]: usage.completionTokens,
      [ATTRIBUTES.cachedTokens]: usage.cachedPromptTokens,
      [ATTRIBUTES.finishReasons]: finishReasons.filter((reason) => reason !== undefined),
    });
    if (this.#withContent) this.#chat.set({ [ATTRIBUTES.outputMessages]: JSON.stringify(this.#texts) });
    if (failure !== null) this.#chat.fail(failure.code, messageOf(failure));
    else if (outcome === 'cancelled') this.#chat.fail('request_cancelled', 'the client left');
    this.#chat.end();
  }
}

function failSpan(span: TraceSpan, error: unknown): void {
  if (!span.recording) return;
  if (error instanceof MillraceError) span.fail(error.code, messageOf(error));
  else span.fail('internal_error', error instanceof Error ? error.name : '');
}

/** What a client did wrong is told to it in its own words, which have no place in a trace; nor has what nobody foresaw. */
function messageOf(error: MillraceError): string {
  return error.httpStatus >= 500 ? error.message : '';
}
