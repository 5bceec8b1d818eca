import type { ModelPrice } from '../credits/price-list.ts';

/** What a request was admitted with: enough for another replica to go on with it. Plain data. */
export interface AdmissionTerms {
  readonly requestId: string;
  readonly tenantId: string;
  readonly keyId: string;
  readonly model: string;
  /** Its price stays what it was. */
  readonly price: ModelPrice;
  readonly holdMicrocredits: number;
  readonly unlimitedCredits: boolean;
  /** Prompt and limit of the answer. */
  readonly costTokens: number;
  readonly weight: number;
  readonly reservationId: string;
  readonly paidMicrocredits: number;
  /** The attempt that begins. */
  readonly epoch: number;
  /** Whether a worker had taken it. */
  readonly served: boolean;
}
