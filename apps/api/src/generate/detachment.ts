import type { Answer } from './answer.ts';

export interface DetachmentOptions {
  /** How long an answer goes on that nobody follows. */
  readonly detachedMs: number;
  /** For how long somebody else has said to follow it, in ms; 0 for nobody. */
  readonly watchedMs: () => Promise<number>;
}

/** Lets an answer go on without its client for a while: it may come back, here or at another replica. */
export class Detachment implements Disposable {
  readonly #answer: Answer;
  readonly #options: DetachmentOptions;
  #timer: NodeJS.Timeout | null = null;

  constructor(answer: Answer, options: DetachmentOptions) {
    this.#answer = answer;
    this.#options = options;
  }

  /** The client is gone. */
  begin(): void {
    if (this.#answer.state === 'generating') this.#arm(this.#options.detachedMs);
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #arm(ms: number): void {
    this[Symbol.dispose]();
    this.#timer = setTimeout(() => void this.#look(), ms).unref();
  }

  async #look(): Promise<void> {
    // Nobody can say who follows while Redis is away, and nobody can come back.
    const watchedMs = await this.#options.watchedMs().catch(() => this.#options.detachedMs);
    if (this.#answer.state !== 'generating') return;
    if (watchedMs > 0) this.#arm(watchedMs);
    else this.#answer.abandon();
  }
}
