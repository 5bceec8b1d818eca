import type { AdmissionTerms, AllowanceStanding, OfferGround } from '#admission';
import type { TenantContext } from '../auth/tenant-context.ts';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';
import type { AnswerUsage } from './answer-listener.ts';
import type { ValidGenerateRequest } from './valid-generate-request.ts';

/** How one limit of the minute stands; limit null for none. */
export interface LimitStanding {
  readonly limit: number | null;
  readonly remaining: number;
  readonly resetMs: number;
}

export interface QueueStanding {
  /** Jobs in front of the request. */
  readonly ahead: number;
  /** How long they will take. */
  readonly waitMs: number;
}

/** What a client is told beside the answer or the refusal. */
export interface AdmissionStanding {
  readonly requests: LimitStanding;
  readonly tokens: LimitStanding;
  /** Of the tenant's credits; null for a tenant that has none. */
  readonly allowance: AllowanceStanding | null;
  /** At admission, and `now`, which gives null once a worker has taken the request; null for a refused request. */
  readonly queue: (QueueStanding & { now(): Promise<QueueStanding | null> }) | null;
}

export interface AdmissionRequest {
  readonly requestId: string;
  readonly tenant: TenantContext;
  readonly model: CataloguedModel;
  readonly promptTokens: number;
  /** Most tokens that all choices together may have. */
  readonly completionTokensLimit: number;
  /** Longest wait in the queue that the client accepts; null for any. */
  readonly longestWaitMs: number | null;
  /** Order among the tenant's own waiting requests. */
  readonly priorityClass: 'high' | 'normal' | 'low';
  /** Whether its client was refused before and comes back as it was told to; null when it does not say. */
  readonly refusedBefore: boolean | null;
  /** Charged for the same before, so that nobody pays twice. */
  readonly paidMicrocredits: number;
  /** Hears how the tenant's limits stand, for admitted and refused requests. */
  tell(standing: AdmissionStanding): void;
}

/** What a request was given at admission; ended by `settle` or `release`, once. No method rejects. */
export interface AdmissionTicket {
  /** The queue's priority that makes its order fair: 1 is first. */
  readonly priority: number;
  /** The tenant's share relative to others'. */
  readonly weight: number;
  /** Estimated wait in the queue. */
  readonly waitMs: number;
  /** Why it need not be queued; null when it has to be. */
  readonly mayOffer: OfferGround | null;
  /** For another replica, should this one leave the request. */
  readonly terms: AdmissionTerms;
  /** The job is offered to a worker; it is not in the queue, should one take it. */
  offering(): void;
  /**
   * The job is being put into the queue, in this turn of the event loop.
   * @param computedAt workers that have computed the beginning of its prompt, where others have not
   */
  queueing(computedAt: readonly string[]): void;
  /** The job was put into the queue. */
  queued(epoch: number): Promise<void>;
  /** A worker has taken the request. */
  started(): Promise<void>;
  /** Another attempt of it goes through the queue. */
  queuedAgain(): void;
  /** Its first tokens are on their way to the client. */
  delivering(): void;
  /** The request is over: charge `usage`, and free the rest. */
  settle(outcome: 'completed' | 'cancelled' | 'failed', usage: AnswerUsage): Promise<void>;
  /** The request never reached the queue: free everything. */
  release(): Promise<void>;
  /** Another replica goes on with it, with what it was given here. */
  handOver(): void;
}

/** The one decision whether a request may enter the queue. A refusal throws a MillraceError and consumes nothing. */
export interface Admission {
  /**
   * The request with its tenant's defaults, before its prompt is looked at.
   * @throws MillraceError model_not_allowed, or invalid_request when it asks for more than the tenant's maximum
   */
  adapt(request: ValidGenerateRequest, tenant: TenantContext): Promise<ValidGenerateRequest>;
  admit(request: AdmissionRequest): Promise<AdmissionTicket>;
  /**
   * Goes on with a request that another replica left.
   * @throws MillraceError insufficient_credits, unavailable
   */
  adopt(terms: AdmissionTerms): Promise<AdmissionTicket>;
}
