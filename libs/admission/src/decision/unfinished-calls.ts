import { afterThisTurn } from '#queue';

/** Bound on what is kept while Redis is away; leases end the rest. */
const MOST_CALLS = 100_000;
/** Calls sent together when Redis is back. */
const BATCH = 100;

/**
 * Idempotent calls that must reach Redis some time: tried after the turn of the event loop in hand, kept while Redis is away, tried again in order.
 * A call that has failed is never lost before it succeeds, as long as the process lives.
 */
export class UnfinishedCalls {
  readonly #calls = new Map<string, () => Promise<unknown>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Never rejects. */
  async run(name: string, call: () => Promise<unknown>): Promise<void> {
    await afterThisTurn();
    try {
      await call();
    } catch (error) {
      this.keep(name, call);
      this.#onError(error);
    }
  }

  keep(name: string, call: () => Promise<unknown>): void {
    if (this.#calls.size < MOST_CALLS) this.#calls.set(name, call);
  }

  /** Tries all that is kept; stops at the first batch with a failure, since the next would fail as well. Never rejects. */
  async retry(): Promise<void> {
    const names = [...this.#calls.keys()];
    for (let from = 0; from < names.length; from += BATCH) {
      const results = await Promise.all(names.slice(from, from + BATCH).map((name) => this.#tryAgain(name)));
      if (results.includes(false)) return;
    }
  }

  async #tryAgain(name: string): Promise<boolean> {
    const call = this.#calls.get(name);
    if (call === undefined) return true;
    try {
      await call();
      this.#calls.delete(name);
      return true;
    } catch (error) {
      this.#onError(error);
      return false;
    }
  }
}
