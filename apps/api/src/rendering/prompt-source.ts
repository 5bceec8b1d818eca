import type { ModelCard } from '#contracts';
import type { ChatTool, PromptTraits } from '#models';
import type { RequestMessage } from '../generate/valid-generate-request.ts';

/** A conversation and what else its prompt is made of. */
export interface Conversation {
  readonly messages: readonly RequestMessage[];
  /** What the model may call. */
  readonly tools: readonly ChatTool[];
  /** Further names that the template can read. */
  readonly templateVariables: Readonly<Record<string, unknown>>;
}

/** A conversation's prompt, opened for the assistant's turn. */
export interface RenderedTokens {
  /** [promptTokens] */
  readonly tokenIds: Int32Array;
  /** Whether the prompt ends inside a reasoning block, so that the answer begins there. */
  readonly reasoning: 'marked' | 'opened';
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
