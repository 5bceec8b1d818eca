import type { TenantContext } from '../auth/tenant-context.ts';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';
import type { AnswerUsage } from './answer-listener.ts';

export interface AdmissionRequest {
  readonly requestId: string;
  readonly tenant: TenantContext;
  readonly model: CataloguedModel;
  readonly promptTokens: number;
  /** Most tokens that all choices together may have. */
  readonly completionTokensLimit: number;
}

/** What a request was given at admission; exactly one of the two is called, once. */
export interface AdmissionTicket {
  /** The request ran: charge what it used, and free the rest. */
  settle(usage: AnswerUsage): Promise<void>;
  /** The request never reached the queue: free everything. */
  release(): Promise<void>;
}

/** The one decision whether a request may enter the queue. A refusal throws a MillraceError and consumes nothing. */
export interface Admission {
  admit(request: AdmissionRequest): Promise<AdmissionTicket>;
}
