import type { MillraceError } from '#contracts';
import type { AnsweredChoice } from '../dialects/dialect.ts';
import type { AnswerListener, AnswerLogprob, AnswerUsage, ChoiceEnd } from '../generate/answer-listener.ts';
import type { ReplyTarget } from '../generate/prepared-generation.ts';

interface OpenChoice {
  text: string;
  readonly logprobs: AnswerLogprob[];
  end: ChoiceEnd;
}

/** Never told: an answer is complete when all of its choices have ended. */
const UNFINISHED: ChoiceEnd = { reason: 'stop', stopString: null };

/** Holds an answer back until it is complete. */
export class CollectedAnswer implements AnswerListener, ReplyTarget {
  readonly #choices: OpenChoice[];
  readonly #withLogprobs: boolean;
  #usage: AnswerUsage | null = null;
  #failure: MillraceError | null = null;

  constructor(choices: number, withLogprobs: boolean) {
    this.#choices = Array.from({ length: choices }, () => ({ text: '', logprobs: [], end: UNFINISHED }));
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

  choiceFinished(choice: number, end: ChoiceEnd): void {
    const open = this.#choices[choice];
    if (open !== undefined) open.end = end;
  }

  ended(usage: AnswerUsage): void {
    this.#usage = usage;
  }

  failed(error: MillraceError): void {
    this.#failure = error;
  }
}
