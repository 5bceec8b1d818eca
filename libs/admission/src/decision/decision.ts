import type { MillraceError } from '#contracts';
import type { AllowanceStanding } from '../accounts/account-state.ts';
import type { RateStanding } from '../accounts/tenant-account.ts';
import type { ModelPrice } from '../credits/price-list.ts';
import type { PriorityClass } from '../places/priority-class.ts';
import type { TenantRecord } from '../tenants/tenant-record.ts';
import type { AdmissionHandle } from './admission-handle.ts';
import type { AdmissionTerms } from './admission-terms.ts';

/** Everything the decision depends on; the counts are exact, because the prompt is tokenized before. */
export interface AdmissionRequest {
  readonly requestId: string;
  readonly tenant: TenantRecord;
  readonly keyId: string;
  readonly model: string;
  readonly price: ModelPrice;
  /** Workers that take jobs for the model now, and their slots together. */
  readonly workers: number;
  readonly slots: number;
  readonly promptTokens: number;
  /** Most tokens that all choices together may have. */
  readonly completionTokensLimit: number;
  /** Longest wait in the queue that the client accepts; null for any. */
  readonly longestWaitMs: number | null;
  /** Whether its client was refused before and comes back as it was told to; null when it does not say. */
  readonly refusedBefore: boolean | null;
  /** Order among the tenant's own requests; `normal` by default. */
  readonly priorityClass?: PriorityClass;
  /** Charged for the same before, under another id, so that nobody pays twice; 0 when left out. */
  readonly paidMicrocredits?: number;
}

/** For the `x-ratelimit-*` and `x-allowance-*` headers. */
export interface RateStandings {
  readonly requests: RateStanding;
  readonly tokens: RateStanding;
  /** Null for a tenant that has none. */
  readonly allowance: AllowanceStanding | null;
}

/**
 * Why a request need not be queued: no job waits in its model's queue and a slot is likely to be free, or seats are held, none of its tenant's
 * requests waits, and so it may be due a seat.
 */
export type OfferGround = 'free slot' | 'due seat';

export interface Admitted {
  readonly admitted: true;
  /** For another replica, should this one die. */
  readonly terms: AdmissionTerms;
  readonly handle: AdmissionHandle;
  readonly rates: RateStandings;
  /** Jobs in front of it, and how long they will take. */
  readonly ahead: number;
  readonly waitMs: number;
  /** Null when it has to wait for its turn. */
  readonly mayOffer: OfferGround | null;
}

/** Nothing was consumed. */
export interface Refused {
  readonly admitted: false;
  /** With the status' code and a truthful `retryAfterMs` of at most 60 s. */
  readonly error: MillraceError;
  /** null when the refusal came before the limits were looked at. */
  readonly rates: RateStandings | null;
}

export type Decision = Admitted | Refused;
