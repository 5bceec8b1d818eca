import type { JobOffer } from '../relay-ports.ts';

/** What a worker declined is not offered to it again for so long: what fits there comes to it from the queue. */
const NO_ROOM_MS = 100;

type OfferKind = Pick<JobOffer, 'model' | 'dueTenant'>;

/** What one worker declined lately: that it has no free slot for a model, and which tenants are not due a seat of it. */
export class DeclinedOffers {
  /** `performance.now()` until which nothing of the kind is offered. */
  readonly #untilMs = new Map<string, number>();

  add(kind: OfferKind): void {
    const now = performance.now();
    for (const [key, untilMs] of this.#untilMs) if (untilMs <= now) this.#untilMs.delete(key);
    this.#untilMs.set(keyOf(kind), now + NO_ROOM_MS);
  }

  has(kind: OfferKind): boolean {
    return (this.#untilMs.get(keyOf(kind)) ?? 0) > performance.now();
  }
}

function keyOf({ model, dueTenant }: OfferKind): string {
  return dueTenant === null ? model : `${model}\n${dueTenant}`;
}
