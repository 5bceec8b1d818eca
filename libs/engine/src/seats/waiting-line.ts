import type { Sequence } from '../sequences/sequence.ts';
import type { TenantShare } from './tenant-share.ts';

/** The sequences without a seat, waiting and parked, in order of arrival. */
export class WaitingLine {
  readonly #sequences: Sequence[] = [];

  get length(): number {
    return this.#sequences.length;
  }

  /** Puts a sequence where it arrived: a parked one stands before those that came after it. */
  add(sequence: Sequence): void {
    const before = this.#sequences.findLastIndex(({ arrival }) => arrival < sequence.arrival);
    this.#sequences.splice(before + 1, 0, sequence);
  }

  remove(sequence: Sequence): void {
    const index = this.#sequences.indexOf(sequence);
    if (index >= 0) this.#sequences.splice(index, 1);
  }

  parked(): Sequence[] {
    return this.#sequences.filter(({ phase }) => phase === 'parked');
  }

  /** The first of each tenant that could sit now. */
  firstOfEach(shareOf: (sequence: Sequence) => TenantShare, canSit: (sequence: Sequence) => boolean): Sequence[] {
    const seen = new Set<TenantShare>();
    return this.#sequences.filter((sequence) => {
      const share = shareOf(sequence);
      if (seen.has(share) || !canSit(sequence)) return false;
      seen.add(share);
      return true;
    });
  }
}
