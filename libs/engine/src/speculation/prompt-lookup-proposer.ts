import type { Sequence } from '../sequences/sequence.ts';
import { PromptLookup } from './prompt-lookup.ts';
import { ProposalChances } from './proposal-chances.ts';
import { SpeculationPace } from './speculation-pace.ts';
import type { TokenProposer } from './token-proposer.ts';

interface Expectation {
  readonly lookup: PromptLookup;
  readonly chances: ProposalChances;
}

/**
 * Proposes what followed a sequence's last tokens earlier in its prompt or answer, as far as that pays. Each token of the answer shows whether the
 * expected one would have been right, decoded ones too, so nothing has to be verified to find out that it is in vain.
 */
export class PromptLookupProposer implements TokenProposer {
  readonly #maxProposals: number;
  readonly #pace = new SpeculationPace();
  readonly #expectations = new WeakMap<Sequence, Expectation>();

  /** @param maxProposals of one run */
  constructor(maxProposals: number) {
    this.#maxProposals = maxProposals;
  }

  propose(sequence: Sequence, most: number): readonly number[] {
    const { lookup, chances } = this.#expectationOf(sequence);
    const { certainty } = lookup;
    if (certainty < 0) return [];
    const count = this.#pace.payingProposals(Math.min(most, this.#maxProposals), sequence.computedTokens, (index) =>
      chances.chance(certainty + index),
    );
    return lookup.propose(count);
  }

  decoded(ms: number): void {
    this.#pace.decoded(ms);
  }

  verified(tokens: number, pastTokens: number, ms: number): void {
    this.#pace.verified(tokens, pastTokens, ms);
  }

  /** With all tokens that the sequence has now. */
  #expectationOf(sequence: Sequence): Expectation {
    const known = this.#expectations.get(sequence);
    const expectation = known ?? { lookup: new PromptLookup(), chances: new ProposalChances() };
    if (known === undefined) this.#expectations.set(sequence, expectation);
    const { lookup, chances } = expectation;
    const { promptTokenIds } = sequence.request.input;
    while (lookup.length < promptTokenIds.length) lookup.append(promptTokenIds[lookup.length]);
    const { answerTokenIds } = sequence;
    for (let i = lookup.length - promptTokenIds.length; i < answerTokenIds.length; i++) {
      const { certainty, expected } = lookup;
      if (certainty >= 0) chances.learn(certainty, expected === answerTokenIds[i]);
      lookup.append(answerTokenIds[i]);
    }
    return expectation;
  }
}
