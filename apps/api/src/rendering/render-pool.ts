import { MillraceError, type ModelCard } from '#contracts';
import type { PromptTraits } from '#models';
import { LoadedCard } from './loaded-card.ts';
import type { Conversation, PromptSource, RenderedTokens } from './prompt-source.ts';
import { renderError } from './render-error.ts';
import { RenderLane } from './render-lane.ts';

/** Conversations up to this size take a few ms; longer ones must not stand before them. */
export const SHORT_CHARACTERS = 16_384;
/** A few words take less than the way to a thread and back, where their tokenizer is one that is loaded in a few ms. */
export const FEW_CHARACTERS = 1_024;
const SMALL_TOKENIZER_CHARACTERS = 262_144;
const MAX_WAITING_SHORT = 1_024;
const MAX_WAITING_LONG = 64;

/**
 * Renders and tokenizes off the event loop, which has streams to serve: loading a tokenizer of 150,000 tokens takes half
 * a second, a prompt about 0.6 ms per 1,000 characters. Short conversations have a thread of their own, so a long one
 * never delays them. A few words for a model with a small tokenizer are the exception.
 */
export class RenderPool implements PromptSource {
  readonly #short = new RenderLane(MAX_WAITING_SHORT);
  readonly #long = new RenderLane(MAX_WAITING_LONG);
  /** Those with a small tokenizer. */
  readonly #here = new Map<string, LoadedCard>();

  /** Has the threads load their code now, before the first card. */
  start(): void {
    this.#short.start();
    this.#long.start();
  }

  async load(cardHash: string, card: ModelCard): Promise<PromptTraits> {
    const [traits] = await Promise.all([this.#short.load(cardHash, card), this.#long.load(cardHash, card)]);
    if (card.tokenizerJson.length <= SMALL_TOKENIZER_CHARACTERS) this.#here.set(cardHash, new LoadedCard(card));
    return traits;
  }

  forget(cardHash: string): void {
    this.#here.delete(cardHash);
    this.#short.forget(cardHash);
    this.#long.forget(cardHash);
  }

  async render(
    cardHash: string,
    conversation: Conversation,
    tenantId: string,
    gone: AbortSignal,
  ): Promise<RenderedTokens> {
    const characters = charactersOf(conversation);
    const here = characters <= FEW_CHARACTERS ? this.#here.get(cardHash) : undefined;
    if (here !== undefined) return renderedHere(here, conversation);
    const lane = characters <= SHORT_CHARACTERS ? this.#short : this.#long;
    return lane.render(cardHash, conversation, tenantId, gone);
  }

  async close(): Promise<void> {
    await Promise.all([this.#short.close(), this.#long.close()]);
  }
}

/** About how much text the prompt will be. */
function charactersOf({ messages, tools, badWords }: Conversation): number {
  const texts = messages.map(({ content, reasoning_content: reasoning = '', tool_calls: calls = [] }) => {
    return content.length + reasoning.length + (calls.length === 0 ? 0 : JSON.stringify(calls).length);
  });
  const shown = tools.length === 0 ? 0 : JSON.stringify(tools).length;
  return texts.reduce((sum, characters) => sum + characters, shown + badWords.join('').length);
}

/** Fails as a thread would. */
function renderedHere(card: LoadedCard, conversation: Conversation): RenderedTokens {
  try {
    return card.render(conversation);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    throw renderError(error.code, error.message, error.param);
  }
}
