import type { MillraceError } from '#contracts';
import type { OutputEvent } from '#models';
import type { AnswerTokens, AnswerUsage } from '../answer-listener.ts';

export interface OutputUsage extends AnswerUsage {
  /** Of all choices together; a part of `completionTokens`. */
  readonly reasoningTokens: number;
}

/** How a choice ended. */
export interface OutputEnd {
  /** `tool_calls` when it ended by itself with calls, of which the last is whole. */
  readonly reason: 'stop' | 'length' | 'tool_calls';
  /** The stop string of the request that ended it; null when the model ended its turn or the length did. */
  readonly stopString: string | null;
}

/**
 * Who is told about an answer that was taken apart. Calls come in the order of `AnswerListener`'s; `parts` may be empty
 * while there is something to tell of tokens, because text that may be the beginning of a mark is held back. Token ids are told
 * only where they were asked for.
 */
export interface OutputListener {
  started(): void;
  output(choice: number, parts: readonly OutputEvent[], tokens: AnswerTokens, usage: OutputUsage): void;
  choiceFinished(choice: number, end: OutputEnd, usage: OutputUsage): void;
  ended(usage: OutputUsage): void;
  failed(error: MillraceError): void;
}
