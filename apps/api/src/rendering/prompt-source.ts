import type { ModelCard } from '#contracts';
import type { RequestMessage } from '../generate/valid-generate-request.ts';

/** Turns conversations into prompts with the tokenizer and template of a card. */
export interface PromptSource {
  /** Makes a card ready for `render`. @throws when its tokenizer or template can not be used */
  load(cardHash: string, card: ModelCard): Promise<void>;
  forget(cardHash: string): void;
  /**
   * The conversation's prompt, opened for the assistant's turn: [promptTokens].
   * @throws MillraceError invalid_request from the template, overloaded, request_cancelled after `gone`
   */
  render(cardHash: string, messages: readonly RequestMessage[], gone: AbortSignal): Promise<Int32Array>;
}
