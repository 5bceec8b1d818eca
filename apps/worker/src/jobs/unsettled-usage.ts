import type { GenerateJob } from '#contracts';
import type { MadeTokens } from './attempt.ts';

/** Whom to charge for what was made of a request. */
export interface ReportedRequest {
  readonly tenantId: string;
  readonly requestId: string;
  readonly promptTokens: number;
}

interface Unsettled {
  readonly request: ReportedRequest;
  readonly made: MadeTokens;
  readonly atMs: number;
}

/** Longer than the relay tells of the loss of what was finished. */
const KEPT_MS = 6_000;

/** What was made of requests that have ended, until it is sure that their API replica knows it. */
export class UnsettledUsage {
  readonly #attempts = new Map<string, Unsettled>();

  get size(): number {
    return this.#attempts.size;
  }

  keep(key: string, request: ReportedRequest, made: MadeTokens): void {
    const nowMs = performance.now();
    // In the order in which they came.
    for (const [old, { atMs }] of this.#attempts) {
      if (atMs >= nowMs - KEPT_MS) break;
      this.#attempts.delete(old);
    }
    this.#attempts.set(key, { request, made, atMs: nowMs });
  }

  /** Null for an attempt that is not known (any more). */
  take(key: string): Unsettled | null {
    const found = this.#attempts.get(key) ?? null;
    this.#attempts.delete(key);
    return found;
  }
}

export function reportedRequestOf({ tenantId, requestId, promptTokenIds }: GenerateJob): ReportedRequest {
  return { tenantId, requestId, promptTokens: promptTokenIds.length };
}
