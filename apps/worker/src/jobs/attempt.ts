import type { GenerateJob } from '#contracts';
import type { FinishReason } from '#engine';
import type { AttemptObserver } from '../observation/attempt-observer.ts';

/** What came of a job: tokens of all choices, and tokens of the prompt that were computed before. */
export interface MadeTokens {
  readonly completionTokens: number;
  readonly cachedTokens: number;
}

/** A request's try on this worker, from the claim to the end of its last choice. */
export class Attempt {
  readonly requestId: string;
  readonly tenantId: string;
  readonly epoch: number;
  readonly choices: number;
  readonly observer: AttemptObserver;
  /** Settles when the attempt is over, whatever its end. */
  readonly ended: Promise<void>;
  /** Nothing of it is to come. */
  over = false;
  /** The engine was given it. */
  submitted = false;
  /** Somebody asked for its end, maybe before the engine knew it. */
  cancelled = false;
  /** Its API replica vanished: nobody else knows what was made of the request. */
  lost = false;
  #openChoices: number;
  #endedBefore: readonly number[] = [];
  #madeTokens = 0;
  #cachedPromptTokens = 0;
  readonly #settle: () => void;

  constructor(
    { requestId, tenantId, epoch, choices }: Pick<GenerateJob, 'requestId' | 'tenantId' | 'epoch' | 'choices'>,
    observer: AttemptObserver,
  ) {
    this.observer = observer;
    this.requestId = requestId;
    this.tenantId = tenantId;
    this.epoch = epoch;
    this.choices = choices;
    this.#openChoices = choices;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#settle = () => {
      this.over = true;
      resolve();
    };
  }

  /** Choices whose end an earlier attempt delivered, and the tokens that they have: nothing more comes of them. */
  leaveOut(choices: readonly number[], tokens: number): void {
    this.#madeTokens += tokens;
    this.#endedBefore = choices;
    this.#openChoices -= choices.length;
  }

  /** The choices that this attempt has to bring to an end. */
  get choicesToRun(): number[] {
    return Array.from({ length: this.choices }, (_, choice) => choice).filter(
      (choice) => !this.#endedBefore.includes(choice),
    );
  }

  /** Of all choices that have ended, what earlier attempts made included. */
  get made(): MadeTokens {
    return { completionTokens: this.#madeTokens, cachedTokens: this.#cachedPromptTokens };
  }

  /** @param tokens of the whole choice */
  choiceEnded(choice: number, reason: FinishReason, tokens: number, cachedPromptTokens: number): void {
    this.#madeTokens += tokens;
    this.#cachedPromptTokens = Math.max(this.#cachedPromptTokens, cachedPromptTokens);
    this.observer.choiceEnded(choice, reason);
    this.#openChoices -= 1;
    if (this.#openChoices === 0) this.#settle();
  }

  fail(code: string): void {
    this.observer.failed(code);
    this.#settle();
  }

  end(): void {
    this.#settle();
  }
}
