import type { MillraceError } from '#contracts';
import type { AnswerListener, AnswerTokens, AnswerUsage, ChoiceEnd } from '../generate/answer-listener.ts';

/** An attribute of a span holds no more of a choice than this. */
const MOST_CHARACTERS = 16_384;

/** Passes an answer on and keeps its text, for traces with content. */
export class TextCollector implements AnswerListener {
  readonly #listener: AnswerListener;
  readonly #texts: string[];

  /** @param texts filled by choice */
  constructor(listener: AnswerListener, texts: string[]) {
    this.#listener = listener;
    this.#texts = texts;
  }

  started(): void {
    this.#listener.started();
  }

  text(choice: number, text: string, tokens: AnswerTokens, usage: AnswerUsage): void {
    this.#texts[choice] = ((this.#texts[choice] ?? '') + text).slice(0, MOST_CHARACTERS);
    this.#listener.text(choice, text, tokens, usage);
  }

  choiceFinished(choice: number, end: ChoiceEnd, usage: AnswerUsage): void {
    this.#listener.choiceFinished(choice, end, usage);
  }

  ended(usage: AnswerUsage): void {
    this.#listener.ended(usage);
  }

  failed(error: MillraceError): void {
    this.#listener.failed(error);
  }
}
