import type { TokenizerJson } from './tokenizer-json.ts';

/**
 * A token that stands beside the model's own vocabulary.
 *
 * *Control* tokens steer the model (turn markers, end of text). Only the chat template can write them. They are those
 * marked `special`, and those in pipe brackets, which some tokenizers forget to mark (`<｜User｜>` of DeepSeek).
 *
 * All others (`<think>`, runs of spaces) are *text* with a token of its own: the model shows them as text, so they are
 * recognised wherever the reference tokenizer recognises them, in a user's text too.
 */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly control: boolean;
  /** Swallows the white space before it. */
  readonly stripLeft: boolean;
  /** Swallows the white space after it. */
  readonly stripRight: boolean;
  /** Recognised only where no word character touches it. */
  readonly singleWord: boolean;
  /** Recognised in normalized text, and in its normalized form, rather than in the text as given. */
  readonly normalized: boolean;
}

const PIPE_BRACKETED = /^[<[][|｜].*[|｜][>\]]$/su;

export function addedTokens(json: TokenizerJson): AddedToken[] {
  return json.added_tokens.map((token) => {
    const control = token.special || PIPE_BRACKETED.test(token.content);
    return {
      id: token.id,
      content: token.content,
      control,
      stripLeft: token.lstrip,
      stripRight: token.rstrip,
      singleWord: token.single_word,
      // Control tokens are found in the template's own text, which no normalizer has touched.
      normalized: !control && (token.normalized ?? true),
    };
  });
}
