import type { Sequence } from '../sequences/sequence.ts';
import { PromptLookup } from './prompt-lookup.ts';
import { MOST_CERTAIN, ProposalChances } from './proposal-chances.ts';
import { SpeculationPace } from './speculation-pace.ts';
import type { TokenProposer } from './token-proposer.ts';

interface Expectation {
  readonly lookup: PromptLookup;
  readonly chances: ProposalChances;
  /** Of what the constraint leaves no choice in: a text may be spelt in other tokens. */
  readonly heldChances: ProposalChances;
  /** What the constraint had expected from a token of the answer on. */
  held: { readonly from: number; readonly tokenIds: readonly number[] } | null;
}

/**
 * Proposes what a sequence's constraint leaves no choice in, and what followed its last tokens earlier in its prompt or answer, as far as that pays.
 * Each token of the answer shows whether the expected one would have been right, decoded ones too, so nothing has to be verified to find out that it
 * is in vain.
 */
export class LikelyTokens implements TokenProposer {
  readonly #maxProposals: number;
  readonly #pace = new SpeculationPace();
  readonly #expectations = new WeakMap<Sequence, Expectation>();

  /** @param maxProposals of one run */
  constructor(maxProposals: number) {
    this.#maxProposals = maxProposals;
  }

  propose(sequence: Sequence, most: number): readonly number[] {
    const expectation = this.#expectationOf(sequence);
    const { lookup, chances, heldChances } = expectation;
    const limit = Math.min(most, this.#maxProposals);
    const held = sequence.constraint?.expectedTokens(limit) ?? [];
    expectation.held = held.length === 0 ? null : { from: sequence.answerTokenIds.length, tokenIds: held };
    const { certainty } = lookup;
    const found = certainty < 0 ? [] : lookup.propose(limit);
    // Where both go the same way the text may know what comes behind.
    const goesOn = held.every((tokenId, index) => tokenId === found[index]);
    const proposals = goesOn ? found : held;
    if (proposals.length === 0) return [];
    const count = this.#pace.payingProposals(proposals.length, sequence.computedTokens, (index) =>
      index < held.length ? heldChances.chance(MOST_CERTAIN) : chances.chance(certainty + index),
    );
    return proposals.slice(0, count);
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
    const expectation = known ?? {
      lookup: new PromptLookup(),
      chances: new ProposalChances(),
      heldChances: new ProposalChances(),
      held: null,
    };
    if (known === undefined) this.#expectations.set(sequence, expectation);
    const { lookup, chances, heldChances, held } = expectation;
    const { promptTokenIds } = sequence.request.input;
    while (lookup.length < promptTokenIds.length) lookup.append(promptTokenIds[lookup.length]);
    const { answerTokenIds } = sequence;
    for (let i = lookup.length - promptTokenIds.length; i < answerTokenIds.length; i++) {
      const { certainty, expected } = lookup;
      if (certainty >= 0) chances.learn(certainty, expected === answerTokenIds[i]);
      lookup.append(answerTokenIds[i]);
    }
    if (held !== null) {
      const wrong = held.tokenIds.findIndex((tokenId, i) => tokenId !== answerTokenIds[held.from + i]);
      const seen = Math.min(wrong < 0 ? held.tokenIds.length : wrong + 1, answerTokenIds.length - held.from);
      for (let i = 0; i < seen; i++) heldChances.learn(MOST_CERTAIN, i !== wrong);
    }
    return expectation;
  }
}
