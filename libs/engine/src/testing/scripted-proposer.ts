import type { Sequence } from '../sequences/sequence.ts';
import type { TokenProposer } from '../speculation/token-proposer.ts';

/** Proposes what a test says, whatever that costs. */
export class ScriptedProposer implements TokenProposer {
  readonly #proposalsFor: (sequence: Sequence, most: number) => readonly number[];
  /** Runs of which it was told: `decode` or the tokens verified. */
  readonly told: ('decode' | number)[] = [];

  /** @param proposalsFor at most `most` of them count */
  constructor(proposalsFor: (sequence: Sequence, most: number) => readonly number[]) {
    this.#proposalsFor = proposalsFor;
  }

  propose(sequence: Sequence, most: number): readonly number[] {
    return this.#proposalsFor(sequence, most).slice(0, most);
  }

  decoded(): void {
    this.told.push('decode');
  }

  verified(tokens: number): void {
    this.told.push(tokens);
  }
}
