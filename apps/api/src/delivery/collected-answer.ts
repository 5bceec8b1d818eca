import type { MillraceError } from '#contracts';
import type { AnsweredChoice } from '../dialects/dialect.ts';
import type { AnswerListener, AnswerLogprob, AnswerUsage } from '../generate/answer-listener.ts';
import type { ReplyTarget } from '../generate/prepared-generation.ts';

interface OpenChoice {
  text: string;
  readonly logprobs: AnswerLogprob[];
  finishReason: 'stop' | 'length';
}

/** Holds an answer back until it is complete. */
export class CollectedAnswer implements AnswerListener, ReplyTarget {
  readonly #choices: OpenChoice[];
  readonly #withLogprobs: boolean;
  #usage: AnswerUsage | null = null;
  #failure: MillraceError | null = null;

  constructor(choices: number, withLogprobs: boolean) {
    this.#choices = Array.from({ length: choices }, () => ({ text: '', logprobs: [], finishReason: 'stop' }));
    this.#withLogprobs = withLogprobs;
  }

  get listener(): AnswerListener {
    return this;
  }

  /** The complete answer; null when the client left before. @throws MillraceError when the answer failed */
  result(): { readonly choices: readonly AnsweredChoice[]; readonly usage: AnswerUsage } | null {
    if (this.#failure !== null) throw this.#failure;
    if (this.#usage === null) return null;
    const choices = this.#choices.map((choice) => ({
      ...choice,
      logprobs: this.#withLogprobs ? choice.logprobs : null,
    }));
    return { choices, usage: this.#usage };
  }

  accepted(): void {}

  started(): void {}

  text(choice: number, text: string, logprobs: readonly AnswerLogprob[]): void {
    const open = this.#choices[choice];
    if (open === undefined) return;
    open.text += text;
    open.logprobs.push(...logprobs);
  }

  choiceFinished(choice: number, reason: 'stop' | 'length'): void {
    const open = this.#choices[choice];
    if (open !== undefined) open.finishReason = reason;
  }

  ended(usage: AnswerUsage): void {
    this.#usage = usage;
  }

  failed(error: MillraceError): void {
    this.#failure = error;
  }
}
