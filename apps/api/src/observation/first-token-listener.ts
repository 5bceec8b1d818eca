import type { MillraceError } from '#contracts';
import type { AnswerListener, AnswerTokens, AnswerUsage, ChoiceEnd } from '../generate/answer-listener.ts';

/** Passes an answer on, and tells once when the first of it comes. */
export class FirstTokenListener implements AnswerListener {
  readonly #listener: AnswerListener;
  #onFirst: (() => void) | null;

  constructor(listener: AnswerListener, onFirst: () => void) {
    this.#listener = listener;
    this.#onFirst = onFirst;
  }

  started(): void {
    this.#listener.started();
  }

  text(choice: number, text: string, tokens: AnswerTokens, usage: AnswerUsage): void {
    if (this.#onFirst !== null) this.#tellFirst();
    this.#listener.text(choice, text, tokens, usage);
  }

  choiceFinished(choice: number, end: ChoiceEnd, usage: AnswerUsage): void {
    if (this.#onFirst !== null) this.#tellFirst();
    this.#listener.choiceFinished(choice, end, usage);
  }

  ended(usage: AnswerUsage): void {
    this.#listener.ended(usage);
  }

  failed(error: MillraceError): void {
    this.#listener.failed(error);
  }

  #tellFirst(): void {
    const tell = this.#onFirst;
    this.#onFirst = null;
    tell?.();
  }
}
