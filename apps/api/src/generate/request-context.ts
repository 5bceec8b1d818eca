import type { TenantContext } from '../auth/tenant-context.ts';
import type { RequestObserver } from '../observation/request-observer.ts';
import type { AdmissionStanding } from './admission.ts';

/** What a client wants to come back to. */
export interface KeepWish {
  /** Of its `Idempotency-Key`; null when it only wants to resume. */
  readonly keyHash: string | null;
  readonly path: string;
  readonly body: unknown;
  /** Charged for an earlier try under the same key. */
  readonly paidMicrocredits: number;
}

/** Who asks, under which id, and whether they are still there. */
export interface RequestContext {
  readonly requestId: string;
  readonly tenant: TenantContext;
  /** The client's own `x-request-id`; null when it sent none that can be used. */
  readonly alias: string | null;
  /** Hears of the request's phases. */
  readonly observer: RequestObserver;
  /** Longest wait in the queue that the client accepts; null for any. */
  readonly longestWaitMs: number | null;
  /** How another worker catches up with what was delivered, should the first be lost; null for what the operator set. */
  readonly resumeBy: 'exact' | 'fast' | null;
  /** When the client wants the whole request over, by `performance.now()`; null for whenever. */
  readonly endsAtMs: number | null;
  /** Whether the client was refused before and comes back as it was told to; null when it does not say. */
  readonly refusedBefore: boolean | null;
  /** The answer is to outlive the connection; null for one that ends with it. */
  readonly keep: KeepWish | null;
  /** The answer is sent when it is complete, not while it is made. */
  readonly whole: boolean;
  /** Hears how the tenant's limits stand. */
  tell(standing: AdmissionStanding): void;
  /** Aborted when the client closes its connection. */
  readonly gone: AbortSignal;
}
