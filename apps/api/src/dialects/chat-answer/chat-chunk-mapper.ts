import type { AnswerLogprob, AnswerUsage, ChoiceEnd } from '../../generate/answer-listener.ts';
import type { AnswerHeading, ChunkMapper, DeliveryWishes } from '../dialect.ts';
import type { ChatShape } from './chat-shape.ts';

/**
 * One answer as `chat.completion.chunk` objects: per choice a first one with the role, any number with text, one with the
 * finish reason; last, when asked for, one with the usage and no choices.
 */
export class ChatChunkMapper implements ChunkMapper {
  readonly #shape: ChatShape;
  readonly #heading: object;
  readonly #delivery: DeliveryWishes;
  readonly #begun = new Set<number>();

  constructor(shape: ChatShape, heading: AnswerHeading, delivery: DeliveryWishes) {
    this.#shape = shape;
    this.#heading = { ...shape.heading(heading), object: 'chat.completion.chunk' };
    this.#delivery = delivery;
  }

  text(index: number, text: string, logprobs: readonly AnswerLogprob[], usage: AnswerUsage): object[] {
    const told = logprobs.length > 0 ? logprobs : null;
    return [...this.#begin(index, usage), this.#chunk(index, { content: text }, told, null, usage)];
  }

  choiceFinished(index: number, end: ChoiceEnd, usage: AnswerUsage): object[] {
    return [...this.#begin(index, usage), this.#chunk(index, {}, null, end, usage)];
  }

  ended(usage: AnswerUsage): object[] {
    if (!this.#delivery.includeUsage) return [];
    return [{ ...this.#heading, choices: [], usage: this.#shape.usage(usage) }];
  }

  #begin(index: number, usage: AnswerUsage): object[] {
    if (this.#begun.has(index)) return [];
    this.#begun.add(index);
    return [this.#chunk(index, { role: 'assistant', ...this.#shape.firstDelta }, null, null, usage)];
  }

  #chunk(
    index: number,
    delta: object,
    logprobs: readonly AnswerLogprob[] | null,
    end: ChoiceEnd | null,
    usage: AnswerUsage,
  ): object {
    const choice = { index, delta, ...this.#shape.logprobs(logprobs), ...this.#shape.ending(end) };
    return { ...this.#heading, choices: [choice], ...this.#usageOf(usage) };
  }

  /** A client that asked for the usage gets the field in every chunk, as OpenAI sends it. */
  #usageOf(usage: AnswerUsage): object {
    if (this.#delivery.continuousUsage) return { usage: this.#shape.usage(usage) };
    return this.#delivery.includeUsage ? { usage: null } : {};
  }
}
