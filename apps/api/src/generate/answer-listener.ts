import type { MillraceError } from '#contracts';

export interface AlternativeToken {
  readonly id: number;
  /** The token's bytes as text; U+FFFD stands where it holds only a part of a character. */
  readonly token: string;
  readonly bytes: readonly number[];
  readonly logprob: number;
}

export interface AnswerLogprob extends AlternativeToken {
  readonly top: readonly AlternativeToken[];
}

/** The tokens of one step of a choice. */
export interface AnswerTokens {
  readonly ids: readonly number[];
  /** One for each token; empty when none were asked for. */
  readonly logprobs: readonly AnswerLogprob[];
}

export interface AnswerUsage {
  readonly promptTokens: number;
  /** Of all choices together. */
  readonly completionTokens: number;
  readonly cachedPromptTokens: number;
}

/** How a choice ended. */
export interface ChoiceEnd {
  readonly reason: 'stop' | 'length';
  /** The stop string of the request that ended it; null when the model ended its turn or the length did. */
  readonly stopString: string | null;
}

/**
 * Who is told about an answer while it is made. Calls come in order: any number of `text` per choice, one `choiceFinished`
 * per choice, then `ended`; or at any time one `failed`, which is then the last. `usage` is what was used so far.
 */
export interface AnswerListener {
  /** A worker has taken the request. */
  started(): void;
  /**
   * Of one step. Text may be empty, because a token can be a part of a character or hold none, and text of the end has no token.
   */
  text(choice: number, text: string, tokens: AnswerTokens, usage: AnswerUsage): void;
  choiceFinished(choice: number, end: ChoiceEnd, usage: AnswerUsage): void;
  ended(usage: AnswerUsage): void;
  failed(error: MillraceError): void;
}
