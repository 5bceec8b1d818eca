import { TransientMap } from '#collections';
import type { relay } from '#contracts';
import type { WorkerStream } from './worker-stream.ts';

interface OpenOffer {
  readonly requestId: string;
  readonly epoch: number;
  readonly stream: WorkerStream;
  readonly declined: () => void;
}

/** The offers of one API replica that no worker has answered. */
export class OpenOffers {
  readonly #open = new TransientMap<string, OpenOffer>();
  /** How offers ended; unanswered are those whose worker was lost or took too long. */
  readonly totals = { accepted: 0, declined: 0, unanswered: 0 };

  /** @param declined called once, should the worker not want it or its stream end before it has answered */
  add(
    { requestId, epoch }: Pick<relay.Offer, 'requestId' | 'epoch'>,
    stream: WorkerStream,
    declined: () => void,
  ): void {
    this.#open.set(requestId, { requestId, epoch, stream, declined });
  }

  /** A worker claims an attempt. @returns whether it was offered it, and somebody still waits for the answer */
  accepted(stream: WorkerStream, answer: relay.Accepted): boolean {
    if (this.#take(stream, answer) === null) return false;
    this.totals.accepted += 1;
    return true;
  }

  declined(stream: WorkerStream, answer: relay.Declined): void {
    const offer = this.#take(stream, answer);
    if (offer === null) return;
    this.totals.declined += 1;
    offer.declined();
  }

  /** Its stream has ended. */
  lose(stream: WorkerStream): void {
    for (const offer of this.#open.values()) {
      if (offer.stream !== stream) continue;
      this.#forget(offer);
      offer.declined();
    }
  }

  /** Nobody waits for an answer any more; a worker that owes one is offered nothing until it says something. */
  forget(requestId: string): void {
    const offer = this.#open.get(requestId);
    if (offer === undefined) return;
    this.#forget(offer);
    offer.stream.owesAnAnswer();
  }

  #forget({ requestId }: OpenOffer): void {
    this.#open.delete(requestId);
    this.totals.unanswered += 1;
  }

  #take(stream: WorkerStream, { requestId, epoch }: relay.Declined): OpenOffer | null {
    const offer = this.#open.get(requestId);
    if (offer === undefined || offer.stream !== stream || offer.epoch !== epoch) return null;
    this.#open.delete(requestId);
    return offer;
  }
}
