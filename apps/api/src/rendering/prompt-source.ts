import type { ModelCard } from '#contracts';
import type { ChatTool, PromptTraits } from '#models';
import type { RequestMessage } from '../generate/valid-generate-request.ts';

/**
 * Where a prompt ends: behind the opening of the assistant's turn; behind the last message, with no turn opened; or in
 * the last message, behind its text, so that the answer goes on with it.
 */
export type PromptEnd = 'new-turn' | 'after-message' | 'in-message';

/** A conversation and what else its prompt is made of. */
export interface Conversation {
  readonly messages: readonly RequestMessage[];
  /** What the model may call. */
  readonly tools: readonly ChatTool[];
  /** Further names that the template can read. */
  readonly templateVariables: Readonly<Record<string, unknown>>;
  readonly end: PromptEnd;
  /** Words that the answer is to be without, to be tokenized as it may spell them. */
  readonly badWords: readonly string[];
}

/** A conversation's prompt. */
export interface RenderedTokens {
  /** [promptTokens] */
  readonly tokenIds: Int32Array;
  /** Whether the answer begins inside a reasoning block, which the prompt has opened. */
  readonly reasoning: 'marked' | 'opened';
  /** What the prompt has of the answer's text; '' unless it ends in a message. */
  readonly begun: string;
  /** The spellings of all words that the answer is to be without. */
  readonly badWordTokenIds: readonly (readonly number[])[];
}

/** Turns conversations into prompts with the tokenizer and template of a card. */
export interface PromptSource {
  /** Makes a card ready for `render`. @throws when its tokenizer or template can not be used */
  load(cardHash: string, card: ModelCard): Promise<PromptTraits>;
  forget(cardHash: string): void;
  /**
   * Tenants are served in turn.
   * @throws MillraceError invalid_request from the template, overloaded, request_cancelled after `gone`
   */
  render(cardHash: string, conversation: Conversation, tenantId: string, gone: AbortSignal): Promise<RenderedTokens>;
}
