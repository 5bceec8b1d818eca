import type { OutputEvent } from '#models';
import type { AnswerTokens } from '../../generate/answer-listener.ts';
import type { OutputEnd, OutputUsage } from '../../generate/output/output-listener.ts';
import type { AnswerHeading, ChunkMapper, DeliveryWishes } from '../dialect.ts';
import type { ChatShape } from './chat-shape.ts';
import { mapDelta } from './map-parts.ts';

const NO_TOKENS: AnswerTokens = { ids: [], logprobs: [] };

/**
 * One answer as `chat.completion.chunk` objects: per choice a first one with the role, any number with pieces of content, reasoning or tool calls, one with the
 * finish reason; last, when asked for, one with the usage and no choices.
 */
export class ChatChunkMapper implements ChunkMapper {
  readonly #shape: ChatShape;
  readonly #heading: object;
  readonly #promptTokenIds: readonly number[] | null;
  readonly #delivery: DeliveryWishes;
  readonly #begun = new Set<number>();

  constructor(shape: ChatShape, heading: AnswerHeading, delivery: DeliveryWishes) {
    this.#shape = shape;
    this.#heading = { ...shape.heading(heading), object: 'chat.completion.chunk' };
    this.#promptTokenIds = heading.promptTokenIds;
    this.#delivery = delivery;
  }

  output(index: number, parts: readonly OutputEvent[], tokens: AnswerTokens, usage: OutputUsage): object[] {
    const deltas = parts.map(mapDelta).filter((delta) => delta !== null);
    // Tokens whose text is held back, or has none, have their ids and log probabilities all the same.
    if (deltas.length === 0 && (tokens.ids.length > 0 || tokens.logprobs.length > 0)) deltas.push({ content: '' });
    if (deltas.length === 0) return [];
    const chunks = deltas.map((delta, place) => this.#chunk(index, delta, place === 0 ? tokens : null, null, usage));
    return [...this.#begin(index, usage), ...chunks];
  }

  choiceFinished(index: number, end: OutputEnd, usage: OutputUsage): object[] {
    return [...this.#begin(index, usage), this.#chunk(index, {}, null, end, usage)];
  }

  ended(usage: OutputUsage): object[] {
    if (!this.#delivery.includeUsage) return [];
    return [{ ...this.#heading, choices: [], usage: this.#shape.usage(usage) }];
  }

  #begin(index: number, usage: OutputUsage): object[] {
    if (this.#begun.has(index)) return [];
    this.#begun.add(index);
    const first = this.#chunk(index, { role: 'assistant', ...this.#shape.firstDelta }, null, null, usage);
    return [this.#promptTokenIds === null ? first : { ...first, prompt_token_ids: this.#promptTokenIds }];
  }

  #chunk(index: number, delta: object, tokens: AnswerTokens | null, end: OutputEnd | null, usage: OutputUsage): object {
    const { ids, logprobs } = tokens ?? NO_TOKENS;
    const choice = {
      ...{ index, delta },
      ...this.#shape.logprobs(logprobs.length > 0 ? logprobs : null),
      ...(ids.length > 0 ? { token_ids: ids } : {}),
      ...this.#shape.ending(end),
    };
    return { ...this.#heading, choices: [choice], ...this.#usageOf(usage) };
  }

  /** A client that asked for the usage gets the field in every chunk, as OpenAI sends it. */
  #usageOf(usage: OutputUsage): object {
    if (this.#delivery.continuousUsage) return { usage: this.#shape.usage(usage) };
    return this.#delivery.includeUsage ? { usage: null } : {};
  }
}
