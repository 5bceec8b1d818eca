import type { MillraceError } from '#contracts';

export interface AlternativeToken {
  /** The token's bytes as text; U+FFFD stands where it holds only a part of a character. */
  readonly token: string;
  readonly bytes: readonly number[];
  readonly logprob: number;
}

export interface AnswerLogprob extends AlternativeToken {
  readonly top: readonly AlternativeToken[];
}

export interface AnswerUsage {
  readonly promptTokens: number;
  /** Of all choices together. */
  readonly completionTokens: number;
  readonly cachedPromptTokens: number;
}

/**
 * Who is told about an answer while it is made. Calls come in order: any number of `text` per choice, one `choiceFinished`
 * per choice, then `ended`; or at any time one `failed`, which is then the last.
 */
export interface AnswerListener {
  /** A worker has taken the request. */
  started(): void;
  /** Text may be empty while log probabilities are not; `logprobs` is empty when none were asked for. */
  text(choice: number, text: string, logprobs: readonly AnswerLogprob[]): void;
  choiceFinished(choice: number, reason: 'stop' | 'length'): void;
  ended(usage: AnswerUsage): void;
  failed(error: MillraceError): void;
}
