import { MillraceError, type ModelCard } from '#contracts';
import { begunAnswer, type OutputFormat, outputFormatOf, PromptRenderer, reasoningStart } from '#models';
import type { Conversation, RenderedTokens } from './prompt-source.ts';

const QUESTION: Conversation = {
  messages: [{ role: 'user', content: 'Is anybody there, or are all of you asleep?' }],
  tools: [],
  templateVariables: {},
  end: 'new-turn',
  badWords: [],
};

/** A card whose tokenizer and template are ready, in the thread that made it. */
export class LoadedCard {
  readonly renderer: PromptRenderer;
  readonly #format: OutputFormat;

  /** @throws when the card's tokenizer or template can not be used */
  constructor(card: ModelCard) {
    this.renderer = PromptRenderer.fromCard(card);
    this.#format = outputFormatOf(card);
    this.#warmUp();
  }

  /** A tokenizer's first prompt takes as long as dozens of later ones. */
  #warmUp(): void {
    try {
      this.render(QUESTION);
    } catch (error) {
      // A template may ask for more than a question.
      if (!(error instanceof MillraceError)) throw error;
    }
  }

  /** @throws MillraceError invalid_request from the template */
  render({ messages, tools, templateVariables, end, badWords }: Conversation): RenderedTokens {
    const options = { tools, templateVariables, addGenerationPrompt: end === 'new-turn' };
    const continueFinalMessage = end === 'in-message';
    const { text, tokenIds } = this.renderer.render(messages, { ...options, continueFinalMessage });
    const start = continueFinalMessage
      ? begunAnswer(this.renderer, messages, options, text, this.#format)
      : { reasoning: reasoningStart(text, this.#format), begun: '' };
    return { tokenIds, ...start, badWordTokenIds: badWords.flatMap((word) => this.renderer.spellingsOf(word)) };
  }
}
