import { allowsNothing } from '../constraints/allowed-tokens.ts';
import { messageOf } from '../engine-failures.ts';
import type { RowLogits } from '../row-logits.ts';
import type { Sequence } from '../sequences/sequence.ts';
import type { RequestFailure, TokenLogprob } from '../step-output.ts';
import { candidateLogprob } from './candidate-logprob.ts';
import { KnownTokens, type SelectedRow } from './known-tokens.ts';
import { NO_TOKEN, PLAIN_KERNELS } from './plain-kernels.ts';
import { UNDECIDED } from './probability-buckets.ts';
import { Sampler } from './sampler.ts';

/** Why a sequence can not go on. */
export interface ChoiceFailure {
  readonly problem: string;
  readonly code: RequestFailure['code'];
}

/** The next token of a sequence, or why there is none. */
export type TokenChoice = { readonly tokenId: number; readonly logprobs: readonly TokenLogprob[] } | ChoiceFailure;

/** A token, or `NO_TOKEN`, and how likely the model found it and the likeliest others. */
interface Drawn {
  readonly tokenId: number;
  readonly logprobs: (topCount: number) => readonly TokenLogprob[];
}

const NO_LOGPROBS: readonly TokenLogprob[] = [];

/** Draws the next token of sequences, within what their constraint allows, and tells the constraint of it. */
export class TokenChooser {
  readonly #sampler: Sampler;
  readonly #known: KnownTokens;

  constructor(vocabularySize: number, kernels = PLAIN_KERNELS) {
    this.#sampler = new Sampler(vocabularySize, kernels);
    this.#known = new KnownTokens(vocabularySize);
  }

  /** The same token whether the row is in memory or on a device: where what was selected of it does not decide, the whole row does. */
  choose(sequence: Sequence, row: RowLogits): TokenChoice {
    const { request, choice, completionTokens: position } = sequence;
    const { topLogprobs } = request.input;
    const reached = `token ${position} of choice ${choice}`;
    const allowed = allowedTokens(sequence, reached);
    if (allowed !== null && 'problem' in allowed) return allowed;
    const drawn =
      (row.selected === null ? null : this.#chooseKnown(sequence, row.selected, allowed)) ??
      this.#chooseWhole(sequence, row.whole(), allowed);
    const { tokenId, logprobs } = drawn;
    if (tokenId === NO_TOKEN) {
      const hint = "NaN, infinite or all −Infinity. Are the model's weights intact?";
      return { problem: `the model gave no usable logits for ${reached}: ${hint}`, code: 'engine_failed' };
    }
    if (!sequence.constrain(tokenId)) {
      return { problem: `token ${tokenId} does not fit the constraint that allowed it`, code: 'engine_failed' };
    }
    return { tokenId, logprobs: topLogprobs === null ? NO_LOGPROBS : logprobs(topLogprobs) };
  }

  #chooseWhole(
    { request, penalties, choice, completionTokens: position }: Sequence,
    logits: Float32Array,
    allowed: Int32Array | null,
  ): Drawn {
    const { sampling } = request.input;
    const tokenId = this.#sampler.sample(logits, sampling, penalties, choice, position, allowed);
    return { tokenId, logprobs: (topCount) => [this.#sampler.logprob(logits, tokenId, topCount)] };
  }

  /** Null where the whole row is needed, for the token or for its log probabilities. */
  #chooseKnown(
    { request, penalties, choice, completionTokens: position }: Sequence,
    selected: SelectedRow,
    allowed: Int32Array | null,
  ): Drawn | null {
    const { sampling, topLogprobs } = request.input;
    this.#known.load(selected, allowed);
    const tokenId = this.#sampler.sampleKnown(this.#known, sampling, penalties, choice, position);
    if (tokenId === UNDECIDED) return null;
    if (tokenId === NO_TOKEN || topLogprobs === null) return { tokenId, logprobs: () => NO_LOGPROBS };
    const logprob = candidateLogprob(selected.candidates, tokenId, this.#known.rawLogit(tokenId), topLogprobs);
    return logprob === null ? null : { tokenId, logprobs: () => [logprob] };
  }
}

/**
 * Null for free text. Where a constraint is at a dead end every attempt would come to the same one, so what the request
 * is told is final: a code that no other attempt follows.
 */
function allowedTokens({ constraint }: Sequence, reached: string): Int32Array | ChoiceFailure | null {
  if (constraint === null) return null;
  try {
    const allowed = constraint.allowedTokens();
    if (!allowsNothing(allowed)) return allowed;
    const problem = `no token of the vocabulary fits the constraint at ${reached}; simplify the form, or leave fewer tokens out`;
    return { problem, code: 'invalid_request' };
  } catch (error) {
    return {
      problem: `the constraint could not be enforced at ${reached}: ${messageOf(error)}`,
      code: 'invalid_request',
    };
  }
}
