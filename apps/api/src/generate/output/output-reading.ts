import type { CallableTool, OutputFormat } from '#models';

/** By what the text of a request's answers is taken apart. */
export interface OutputReading {
  readonly requestId: string;
  readonly choices: number;
  /** Whether the ids of the tokens are told beside what was read of them. */
  readonly tellsTokenIds: boolean;
  /** Whether log probabilities name their tokens by ids. */
  readonly namesTokensByIds: boolean;
  readonly format: OutputFormat;
  /** The tools that may be called; null when nothing in the text is a call. */
  readonly tools: readonly CallableTool[] | null;
  readonly reasoning: 'marked' | 'opened' | 'off';
  /** What the prompt has of the answers, which is not told. */
  readonly begun: string;
  /** Whether a call is told only when it is whole, because nothing keeps the model from breaking off in its middle. */
  readonly wholeCalls: boolean;
  /** What the worker's mask holds the answers to, where that is calls or may be. */
  readonly heldTo?: 'calls' | 'text and calls';
}
