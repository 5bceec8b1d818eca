import { allowsNothing } from '../constraints/allowed-tokens.ts';
import type { Sequence } from '../sequences/sequence.ts';
import type { TokenLogprob } from '../step-output.ts';
import { NO_TOKEN } from './argmax.ts';
import { Sampler } from './sampler.ts';
import { tokenLogprob } from './token-logprob.ts';

/** The next token of a sequence, or why there is none. */
export type TokenChoice =
  | { readonly tokenId: number; readonly logprobs: readonly TokenLogprob[] }
  | { readonly problem: string };

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
    const allowed = sequence.constraint?.allowedTokens() ?? null;
    if (allowed !== null && allowsNothing(allowed)) {
      return { problem: `no token of the vocabulary fits the constraint at ${reached}; simplify the schema` };
    }
    const tokenId = this.#sampler.sample(logits, sampling, sequence.penalties, choice, position, allowed);
    if (tokenId === NO_TOKEN) {
      const hint = "NaN, infinite or all −Infinity. Are the model's weights intact?";
      return { problem: `the model gave no usable logits for ${reached}: ${hint}` };
    }
    if (!sequence.constrain(tokenId)) {
      return { problem: `token ${tokenId} does not fit the constraint that allowed it` };
    }
    return { tokenId, logprobs: topLogprobs === null ? NO_LOGPROBS : [tokenLogprob(logits, tokenId, topLogprobs)] };
  }
}
