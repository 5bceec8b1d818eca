import type { GenerateJob, MillraceError } from '#contracts';
import type { AdmissionTicket } from '../generate/admission.ts';
import type { Answer } from '../generate/answer.ts';
import type { AnswerListener } from '../generate/answer-listener.ts';

/** Hears of the attempts of a request, in order. */
export interface AttemptsObserver {
  /** An attempt is being queued. */
  queued(epoch: number): void;
  granted(workerId: string): void;
  /** The attempt is lost. @param cause an error's code, or `unclaimed` */
  lost(cause: string): void;
}

/** What of a request may stand in a trace: the messages only where that was switched on. */
export interface AskedRequest {
  readonly model: string;
  readonly messages: readonly object[];
}

/** Hears of one generation request from its arrival to its last byte: what metrics and traces are made of. */
export interface RequestObserver {
  /** W3C trace context for the job; the client's own while tracing is off. */
  readonly traceparent: string | null;
  /** Of the last attempt; null before the first is queued. */
  readonly epoch: number | null;
  /** The key is known. */
  authenticated(tenantId: string): void;
  /** @param request as it was asked for; the model may not exist */
  preparing<Result>(request: AskedRequest, work: () => Promise<Result>): Promise<Result>;
  /** The model exists and the request is complete. */
  prepared(job: GenerateJob): void;
  admitting(work: () => Promise<AdmissionTicket>): Promise<AdmissionTicket>;
  readonly attempts: AttemptsObserver;
  /** Stands between the answer and who is told of it. */
  listening(listener: AnswerListener): AnswerListener;
  ended(answer: Answer): void;
  /** The request gets an error instead of an answer. */
  refused(error: MillraceError): void;
  /** The last byte has left, or the connection is gone. */
  responded(status: number): void;
}
