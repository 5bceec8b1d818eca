import type { ModelCard } from '#contracts';
import { type OutputFormat, outputFormatOf, PromptRenderer, reasoningStart } from '#models';
import type { Conversation, RenderedTokens } from './prompt-source.ts';

/** A card whose tokenizer and template are ready, in the thread that made it. */
export class LoadedCard {
  readonly renderer: PromptRenderer;
  readonly #format: OutputFormat;

  /** @throws when the card's tokenizer or template can not be used */
  constructor(card: ModelCard) {
    this.renderer = PromptRenderer.fromCard(card);
    this.#format = outputFormatOf(card);
  }

  /** @throws MillraceError invalid_request from the template */
  render({ messages, tools, templateVariables }: Conversation): RenderedTokens {
    const { text, tokenIds } = this.renderer.render(messages, { tools, templateVariables });
    return { tokenIds, reasoning: reasoningStart(text, this.#format) };
  }
}
