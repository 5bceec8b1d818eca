import type { OfferGround } from '#admission';
import type { GenerateJob } from '#contracts';

/** Workers that take jobs without the queue (`JobOffers`), as far as the life of a request needs them. */
export interface OffersPort {
  /**
   * @param declined called once, should the worker not want it or be lost before it has answered
   * @returns whether it was offered to anybody
   */
  offer(job: GenerateJob, ground: OfferGround, declined: () => void): boolean;
  /** Nobody waits for the answer to the offer any more. */
  forget(job: GenerateJob): void;
  /** @returns workers that have computed most of the job's prompt lately, as far as is known; none where all have computed as much of it */
  computedAt(job: GenerateJob): readonly string[];
  /** A worker computes the job's prompt now, however it came by it. */
  granted(job: GenerateJob, workerId: string): void;
}
