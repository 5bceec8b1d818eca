import { MillraceError, relay } from '#contracts';
import type { RelaySink } from '#relay';
import type { AlternativeToken, AnswerListener, AnswerLogprob, AnswerUsage, ChoiceEnd } from './answer-listener.ts';

/** Stands for "never" in JSON, which has no −∞; OpenAI uses the same number. */
const LEAST_LOGPROB = -9999;

/** `generating` until one of the terminal states `ended`, `failed`, `abandoned` (the client is gone). */
export type AnswerState = 'generating' | 'ended' | 'failed' | 'abandoned';

/** Counts one request's frames into an answer: which choices are done, what was used, and when it is over. */
export class Answer implements RelaySink {
  readonly #promptTokens: number;
  readonly #listener: AnswerListener;
  readonly #onStarted: () => void;
  readonly #onFirstTokens: () => void;
  /** Tokens seen so far of each choice that is not finished. */
  readonly #openChoices: Map<number, number>;
  readonly #over = Promise.withResolvers<AnswerState>();
  #state: AnswerState = 'generating';
  #workerId: string | null = null;
  #failure: MillraceError | null = null;
  readonly #finishReasons: ChoiceEnd['reason'][] = [];
  /** Of all choices, so far. */
  #completionTokens = 0;
  #cachedPromptTokens = 0;

  constructor(
    promptTokens: number,
    choices: number,
    listener: AnswerListener,
    onStarted: () => void = () => {},
    onFirstTokens: () => void = () => {},
  ) {
    this.#promptTokens = promptTokens;
    this.#listener = listener;
    this.#onStarted = onStarted;
    this.#onFirstTokens = onFirstTokens;
    this.#openChoices = new Map(Array.from({ length: choices }, (_, choice) => [choice, 0]));
  }

  /** Settles, never rejects, when the answer reaches a terminal state. */
  get over(): Promise<AnswerState> {
    return this.#over.promise;
  }

  get state(): AnswerState {
    return this.#state;
  }

  /** The worker that took the request; null while it is queued. */
  get workerId(): string | null {
    return this.#workerId;
  }

  /** Why it failed; null unless its state is `failed`. */
  get failure(): MillraceError | null {
    return this.#failure;
  }

  /** One for each choice that has finished, by choice. */
  get finishReasons(): readonly ChoiceEnd['reason'][] {
    return this.#finishReasons;
  }

  get usage(): AnswerUsage {
    return {
      promptTokens: this.#promptTokens,
      completionTokens: this.#completionTokens,
      cachedPromptTokens: this.#cachedPromptTokens,
    };
  }

  granted(workerId: string): void {
    if (this.#state !== 'generating') return;
    this.#workerId = workerId;
    this.#onStarted();
    this.#listener.started();
  }

  delta(delta: relay.Delta): void {
    if (this.#state !== 'generating') return;
    const tokens = this.#openChoices.get(delta.choice);
    if (tokens === undefined) return;
    if (this.#completionTokens === 0) this.#onFirstTokens();
    this.#openChoices.set(delta.choice, tokens + delta.tokenIds.length);
    this.#completionTokens += delta.tokenIds.length;
    const told = { ids: delta.tokenIds, logprobs: delta.logprobs.map(toLogprob) };
    this.#listener.text(delta.choice, delta.text, told, this.usage);
  }

  finished(finished: relay.Finished): void {
    const tokens = this.#openChoices.get(finished.choice);
    if (this.#state !== 'generating' || tokens === undefined) return;
    this.#openChoices.delete(finished.choice);
    this.#completionTokens += finished.completionTokens - tokens;
    this.#cachedPromptTokens = Math.max(this.#cachedPromptTokens, finished.cachedPromptTokens);
    const reason = FINISH_REASONS.get(finished.reason);
    if (reason === undefined) {
      this.failed(
        new MillraceError('engine_failed', 'The worker stopped this request before it was complete; send it again.'),
      );
      return;
    }
    this.#finishReasons[finished.choice] = reason;
    const stopString = finished.stopString === '' ? null : finished.stopString;
    this.#listener.choiceFinished(finished.choice, { reason, stopString }, this.usage);
    if (this.#openChoices.size > 0) return;
    this.#finishAs('ended');
    this.#listener.ended(this.usage);
  }

  failed(error: MillraceError): void {
    if (this.#state !== 'generating') return;
    this.#failure = error;
    this.#finishAs('failed');
    this.#listener.failed(error);
  }

  /** Ends it without telling the listener, whose client is gone. */
  abandon(): void {
    if (this.#state === 'generating') this.#finishAs('abandoned');
  }

  #finishAs(state: AnswerState): void {
    this.#state = state;
    this.#over.resolve(state);
  }
}

const FINISH_REASONS = new Map<relay.FinishReason, 'stop' | 'length'>([
  [relay.FinishReason.FINISH_REASON_STOP, 'stop'],
  [relay.FinishReason.FINISH_REASON_LENGTH, 'length'],
]);

function toAlternative(token: relay.TopLogprob): AlternativeToken {
  return {
    id: token.tokenId,
    token: token.tokenBytes.toString('utf8'),
    bytes: [...token.tokenBytes],
    logprob: Number.isFinite(token.logprob) ? token.logprob : LEAST_LOGPROB,
  };
}

function toLogprob(token: relay.TokenLogprob): AnswerLogprob {
  return { ...toAlternative(token), top: token.top.map(toAlternative) };
}
