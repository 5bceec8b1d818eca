import type { AnswerLogprob, AnswerUsage } from '../../generate/answer-listener.ts';
import type { AnswerHeading, ChunkMapper } from '../dialect.ts';
import type { ChunkBody } from './completion-body.ts';
import { mapHeading, mapLogprobs, mapUsage } from './map-parts.ts';

type Choice = ChunkBody['choices'][number];

/**
 * One answer as `chat.completion.chunk` objects: per choice a first one with the role, any number with text, one with the
 * finish reason; last, when asked for, one with the usage and no choices.
 */
export class OpenaiChunkMapper implements ChunkMapper {
  readonly #heading: ReturnType<typeof mapHeading>;
  readonly #includeUsage: boolean;
  readonly #begun = new Set<number>();

  constructor(heading: AnswerHeading, includeUsage: boolean) {
    this.#heading = mapHeading(heading);
    this.#includeUsage = includeUsage;
  }

  text(choice: number, text: string, logprobs: readonly AnswerLogprob[]): ChunkBody[] {
    const content = this.#chunk({
      index: choice,
      delta: { content: text },
      logprobs: logprobs.length > 0 ? mapLogprobs(logprobs) : null,
      finish_reason: null,
    });
    return [...this.#begin(choice), content];
  }

  choiceFinished(choice: number, reason: 'stop' | 'length'): ChunkBody[] {
    return [...this.#begin(choice), this.#chunk({ index: choice, delta: {}, logprobs: null, finish_reason: reason })];
  }

  ended(usage: AnswerUsage): ChunkBody[] {
    if (!this.#includeUsage) return [];
    return [{ ...this.#heading, object: 'chat.completion.chunk', choices: [], usage: mapUsage(usage) }];
  }

  #begin(choice: number): ChunkBody[] {
    if (this.#begun.has(choice)) return [];
    this.#begun.add(choice);
    const delta = { role: 'assistant' as const, content: '', refusal: null };
    return [this.#chunk({ index: choice, delta, logprobs: null, finish_reason: null })];
  }

  #chunk(choice: Choice): ChunkBody {
    const chunk: ChunkBody = { ...this.#heading, object: 'chat.completion.chunk', choices: [choice] };
    return this.#includeUsage ? { ...chunk, usage: null } : chunk;
  }
}
