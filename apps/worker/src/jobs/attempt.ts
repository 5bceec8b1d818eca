/** A request's try on this worker, from the claim to the end of its last choice. */
export class Attempt {
  readonly requestId: string;
  readonly epoch: number;
  readonly choices: number;
  /** Settles when the attempt is over, whatever its end. */
  readonly ended: Promise<void>;
  /** Somebody asked for its end, maybe before the engine knew it. */
  cancelled = false;
  #openChoices: number;
  #endedBefore: readonly number[] = [];
  readonly #settle: () => void;

  constructor({ requestId, epoch, choices }: { requestId: string; epoch: number; choices: number }) {
    this.requestId = requestId;
    this.epoch = epoch;
    this.choices = choices;
    this.#openChoices = choices;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#settle = resolve;
  }

  /** Choices whose end an earlier attempt delivered: nothing more comes of them. */
  leaveOut(choices: readonly number[]): void {
    this.#endedBefore = choices;
    this.#openChoices -= choices.length;
  }

  /** The choices that this attempt has to bring to an end. */
  get choicesToRun(): number[] {
    return Array.from({ length: this.choices }, (_, choice) => choice).filter(
      (choice) => !this.#endedBefore.includes(choice),
    );
  }

  choiceEnded(): void {
    this.#openChoices -= 1;
    if (this.#openChoices === 0) this.#settle();
  }

  end(): void {
    this.#settle();
  }
}
