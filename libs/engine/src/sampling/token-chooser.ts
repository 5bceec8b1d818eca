import { allowsNothing } from '../constraints/allowed-tokens.ts';
import { messageOf } from '../engine-failures.ts';
import type { Sequence } from '../sequences/sequence.ts';
import type { RequestFailure, TokenLogprob } from '../step-output.ts';
import { NO_TOKEN } from './argmax.ts';
import { Sampler } from './sampler.ts';
import { tokenLogprob } from './token-logprob.ts';

/** Why a sequence can not go on. */
export interface ChoiceFailure {
  readonly problem: string;
  readonly code: RequestFailure['code'];
}

/** The next token of a sequence, or why there is none. */
export type TokenChoice = { readonly tokenId: number; readonly logprobs: readonly TokenLogprob[] } | ChoiceFailure;

const NO_LOGPROBS: readonly TokenLogprob[] = [];

/** Draws the next token of sequences, within what their constraint allows, and tells the constraint of it. */
export class TokenChooser {
  readonly #sampler: Sampler;

  constructor(vocabularySize: number) {
    this.#sampler = new Sampler(vocabularySize);
  }

  /** @param logits [vocabularySize], not kept */
  choose(sequence: Sequence, logits: Float32Array): TokenChoice {
    const { request, choice, completionTokens: position } = sequence;
    const { sampling, topLogprobs } = request.input;
    const reached = `token ${position} of choice ${choice}`;
    const allowed = allowedTokens(sequence, reached);
    if (allowed !== null && 'problem' in allowed) return allowed;
    const tokenId = this.#sampler.sample(logits, sampling, sequence.penalties, choice, position, allowed);
    if (tokenId === NO_TOKEN) {
      const hint = "NaN, infinite or all −Infinity. Are the model's weights intact?";
      return { problem: `the model gave no usable logits for ${reached}: ${hint}`, code: 'engine_failed' };
    }
    if (!sequence.constrain(tokenId)) {
      return { problem: `token ${tokenId} does not fit the constraint that allowed it`, code: 'engine_failed' };
    }
    return { tokenId, logprobs: topLogprobs === null ? NO_LOGPROBS : [tokenLogprob(logits, tokenId, topLogprobs)] };
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
    const problem = `no token of the vocabulary fits the constraint at ${reached}; simplify the schema`;
    return { problem, code: 'invalid_request' };
  } catch (error) {
    return {
      problem: `the constraint could not be enforced at ${reached}: ${messageOf(error)}`,
      code: 'invalid_request',
    };
  }
}
