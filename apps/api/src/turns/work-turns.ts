import { TenantLine } from '#threads';

/** Pieces of work are begun in one turn of the event loop for so long; then whatever came in meanwhile is heard. */
const TURN_MS = 1;

/**
 * The event loop's time, shared by tenant: of pieces of work that come together only so many are done in one turn of the loop, and
 * tenants are served in turn, so that a burst of one tenant delays another's request by about a millisecond.
 */
export class WorkTurns {
  readonly #waiting = new TenantLine<() => void>();
  readonly #nowMs: () => number;
  /** When the first piece of this turn was begun; null when there is none yet. */
  #begunAtMs: number | null = null;
  /** Whether it is looked for the next piece when the one in hand is done. */
  #serving = false;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Settles when the tenant's next piece may be done, as a synchronous stretch of work; at once for the first of a turn. */
  async next(tenantId: string): Promise<void> {
    if (this.#begunAtMs === null && this.#waiting.length === 0) {
      this.#begin();
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(tenantId, resolve);
    this.#serveLater();
    await promise;
  }

  #begin(): void {
    this.#begunAtMs = this.#nowMs();
    setImmediate(() => {
      this.#begunAtMs = null;
      this.#serve();
    });
  }

  /** When the piece in hand, and what follows from it in this turn, is done. */
  #serveLater(): void {
    if (this.#serving) return;
    this.#serving = true;
    queueMicrotask(() =>
      process.nextTick(() => {
        this.#serving = false;
        this.#serve();
      }),
    );
  }

  #serve(): void {
    if (this.#waiting.length === 0) return;
    if (this.#begunAtMs === null) this.#begin();
    else if (this.#nowMs() - this.#begunAtMs >= TURN_MS) return;
    this.#waiting.next()?.();
    this.#serveLater();
  }
}
