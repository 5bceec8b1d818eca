import type { MillraceError, relay } from '#contracts';
import type { RelaySink } from '#relay';

/** Keeps what the relay delivers for one request. */
export class RecordingSink implements RelaySink {
  readonly tokenIds: number[][] = [];
  readonly texts: string[] = [];
  /** Of all choices, in order of arrival. */
  readonly logprobs: relay.TokenLogprob[] = [];
  readonly finishes: relay.Finished[] = [];
  error: MillraceError | null = null;
  grantedTo: string | null = null;
  /** Settles when all choices have finished or the attempt failed. */
  readonly ended: Promise<void>;
  readonly #choices: number;
  #settle = () => {};

  constructor(choices = 1) {
    this.#choices = choices;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  granted(workerId: string): void {
    this.grantedTo = workerId;
  }

  delta(delta: relay.Delta): void {
    const tokens = this.tokenIds[delta.choice] ?? [];
    this.tokenIds[delta.choice] = tokens;
    tokens.push(...delta.tokenIds);
    this.logprobs.push(...delta.logprobs);
    this.texts[delta.choice] = (this.texts[delta.choice] ?? '') + delta.text;
  }

  finished(finished: relay.Finished): void {
    this.finishes.push(finished);
    if (this.finishes.length === this.#choices) this.#settle();
  }

  failed(error: MillraceError): void {
    this.error = error;
    this.#settle();
  }
}
