import type { MillraceError } from '#contracts';
import { joinEvents, type OutputEvent } from '#models';
import { ArrayTexts } from '../dialects/chat-answer/array-texts.ts';
import { mapLogprob } from '../dialects/chat-answer/map-parts.ts';
import type { AnsweredChoice } from '../dialects/dialect.ts';
import type { AnswerLogprob } from '../generate/answer-listener.ts';
import type { OutputEnd, OutputListener, OutputUsage } from '../generate/output/output-listener.ts';
import type { ReplyTarget } from '../generate/prepared-generation.ts';

interface OpenChoice {
  readonly parts: OutputEvent[];
  readonly logprobs: ArrayTexts;
  end: OutputEnd;
}

/** Never told: an answer is complete when all of its choices have ended. */
const UNFINISHED: OutputEnd = { reason: 'stop', stopString: null };

/** Holds an answer back until it is complete. */
export class CollectedAnswer implements OutputListener, ReplyTarget {
  readonly #choices: OpenChoice[];
  readonly #withLogprobs: boolean;
  #usage: OutputUsage | null = null;
  #failure: MillraceError | null = null;

  constructor(choices: number, withLogprobs: boolean) {
    this.#choices = Array.from({ length: choices }, () => ({ parts: [], logprobs: new ArrayTexts(), end: UNFINISHED }));
    this.#withLogprobs = withLogprobs;
  }

  get listener(): OutputListener {
    return this;
  }

  /** The complete answer; null when the client left before. @throws MillraceError when the answer failed */
  result(): { readonly choices: readonly AnsweredChoice[]; readonly usage: OutputUsage } | null {
    if (this.#failure !== null) throw this.#failure;
    if (this.#usage === null) return null;
    const choices = this.#choices.map(({ parts, logprobs, end }) => ({
      ...joinEvents(parts),
      logprobs: this.#withLogprobs ? logprobs : null,
      end,
    }));
    return { choices, usage: this.#usage };
  }

  accepted(): void {}

  started(): void {}

  output(choice: number, parts: readonly OutputEvent[], logprobs: readonly AnswerLogprob[]): void {
    const open = this.#choices[choice];
    if (open === undefined) return;
    open.parts.push(...parts);
    if (this.#withLogprobs) open.logprobs.add(logprobs.map(mapLogprob));
  }

  choiceFinished(choice: number, end: OutputEnd): void {
    const open = this.#choices[choice];
    if (open !== undefined) open.end = end;
  }

  ended(usage: OutputUsage): void {
    this.#usage = usage;
  }

  failed(error: MillraceError): void {
    this.#failure = error;
  }
}
