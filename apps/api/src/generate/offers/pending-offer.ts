import type { OfferGround } from '#admission';
import type { GenerateJob } from '#contracts';
import type { OffersPort } from './offers-port.ts';

/** An offer that is not answered by then is queued as well; who claims the attempt first has it. */
const ANSWERED_MS = 100;

/** An offer of one job, until a worker's claim is granted, it is declined, or it has waited too long. */
export class PendingOffer {
  readonly #offers: OffersPort;
  readonly #job: GenerateJob;
  readonly #ground: OfferGround;
  readonly #answer = Promise.withResolvers<boolean>();

  constructor(offers: OffersPort, job: GenerateJob, ground: OfferGround) {
    this.#offers = offers;
    this.#job = job;
    this.#ground = ground;
  }

  /** Makes the offer, once. @returns whether a worker has the job, so that it need not be queued */
  async taken(): Promise<boolean> {
    const no = () => this.#answer.resolve(false);
    if (!this.#offers.offer(this.#job, this.#ground, no)) return false;
    const timer = setTimeout(no, ANSWERED_MS);
    const taken = await this.#answer.promise;
    clearTimeout(timer);
    this.#offers.forget(this.#job);
    return taken;
  }

  granted(): void {
    this.#answer.resolve(true);
  }
}
