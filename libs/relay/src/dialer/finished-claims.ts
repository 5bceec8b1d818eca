import { attemptKey } from '#contracts';

interface Finished {
  readonly requestId: string;
  readonly epoch: number;
  readonly atMs: number;
}

/** Longer than it takes to notice that a replica is gone: what was sent before that may not have arrived. */
const KEPT_MS = 5_000;

/** Attempts whose last frames were sent lately, and may be lost with the stream that they were sent on. */
export class FinishedClaims {
  readonly #claims = new Map<string, Finished>();

  add({ requestId, epoch }: { readonly requestId: string; readonly epoch: number }): void {
    this.#forgetOld();
    this.#claims.set(attemptKey(requestId, epoch), { requestId, epoch, atMs: performance.now() });
  }

  lately(): Finished[] {
    this.#forgetOld();
    return [...this.#claims.values()];
  }

  #forgetOld(): void {
    const oldestMs = performance.now() - KEPT_MS;
    // In the order in which they were added.
    for (const [key, { atMs }] of this.#claims) {
      if (atMs >= oldestMs) return;
      this.#claims.delete(key);
    }
  }
}
