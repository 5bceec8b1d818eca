import type { MillraceError } from '#contracts';
import { joinEvents, type OutputEvent } from '#models';
import { ArrayTexts } from '../dialects/chat-answer/array-texts.ts';
import { mapLogprob } from '../dialects/chat-answer/map-parts.ts';
import type { AnsweredChoice } from '../dialects/dialect.ts';
import type { AnswerTokens } from '../generate/answer-listener.ts';
import type { OutputEnd, OutputListener, OutputUsage } from '../generate/output/output-listener.ts';
import type { ReplyTarget } from '../generate/prepared-generation.ts';
import type { ValidGenerateRequest } from '../generate/valid-generate-request.ts';

interface OpenChoice {
  readonly parts: OutputEvent[];
  readonly logprobs: ArrayTexts;
  readonly tokenIds: number[];
  end: OutputEnd;
}

type CollectedRequest = Pick<ValidGenerateRequest, 'choices' | 'topLogprobs' | 'tellsTokenIds'>;

/** Never told: an answer is complete when all of its choices have ended. */
const UNFINISHED: OutputEnd = { reason: 'stop', stopString: null };

/** Holds an answer back until it is complete. */
export class CollectedAnswer implements OutputListener, ReplyTarget {
  readonly #choices: OpenChoice[];
  readonly #withLogprobs: boolean;
  readonly #withTokenIds: boolean;
  #usage: OutputUsage | null = null;
  #failure: MillraceError | null = null;

  constructor({ choices, topLogprobs, tellsTokenIds }: CollectedRequest) {
    this.#choices = Array.from({ length: choices }, () => ({
      parts: [],
      logprobs: new ArrayTexts(),
      tokenIds: [],
      end: UNFINISHED,
    }));
    this.#withLogprobs = topLogprobs !== null;
    this.#withTokenIds = tellsTokenIds;
  }

  get listener(): OutputListener {
    return this;
  }

  /** The complete answer; null when the client left before. @throws MillraceError when the answer failed */
  result(): { readonly choices: readonly AnsweredChoice[]; readonly usage: OutputUsage } | null {
    if (this.#failure !== null) throw this.#failure;
    if (this.#usage === null) return null;
    const choices = this.#choices.map(({ parts, logprobs, tokenIds, end }) => ({
      ...joinEvents(parts),
      logprobs: this.#withLogprobs ? logprobs : null,
      tokenIds: this.#withTokenIds ? tokenIds : null,
      end,
    }));
    return { choices, usage: this.#usage };
  }

  accepted(): void {}

  started(): void {}

  output(choice: number, parts: readonly OutputEvent[], { ids, logprobs }: AnswerTokens): void {
    const open = this.#choices[choice];
    if (open === undefined) return;
    open.parts.push(...parts);
    open.tokenIds.push(...ids);
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
