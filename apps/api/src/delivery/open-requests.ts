import { setTimeout as sleep } from 'node:timers/promises';
import { TransientSet } from '#collections';
import { MillraceError } from '#contracts';
import type { AcceptedAnswer } from '../generate/prepared-generation.ts';

/** Time that clients get to take the last bytes of streams that were closed. */
const FLUSH_MS = 500;

/** The requests that this replica is answering, so that it can stop without cutting any short that has time left. */
export class OpenRequests {
  readonly #replies = new TransientSet<Promise<void>>();
  readonly #answers = new TransientSet<AcceptedAnswer>();
  #state: 'serving' | 'leaving' | 'draining' = 'serving';

  /** True from the first sign of stopping: nobody should send new requests here, and connections end with their answer. */
  get leaving(): boolean {
    return this.#state !== 'serving';
  }

  /** True once new requests are refused. */
  get draining(): boolean {
    return this.#state === 'draining';
  }

  get size(): number {
    return this.#replies.size;
  }

  /** Counts a request as open until its reply has ended. */
  async during(reply: Promise<void>): Promise<void> {
    this.#replies.add(reply);
    try {
      await reply;
    } finally {
      this.#replies.delete(reply);
    }
  }

  track(open: AcceptedAnswer): void {
    this.#answers.add(open);
    void open.answer.over.then(() => this.#answers.delete(open));
  }

  /**
   * Goes on serving for `delayMs`, in which whoever spreads the load learns that this replica leaves. Then waits for all
   * open requests, `graceMs` at most. The rest is left to other replicas where it is kept, and ends with an error that says
   * why where it is not.
   */
  async drain(delayMs: number, graceMs: number): Promise<void> {
    this.#state = 'leaving';
    if (delayMs > 0) await sleep(delayMs);
    this.#state = 'draining';
    await this.#wait(graceMs);
    const error = new MillraceError('unavailable', 'This server is stopping. Send the request again.', {
      retryAfterMs: 1_000,
    });
    for (const open of this.#answers.values()) {
      if (open.kept) open.handOver();
      else open.answer.failed(error);
    }
    await this.#wait(FLUSH_MS);
  }

  async #wait(ms: number): Promise<void> {
    if (this.#replies.size === 0) return;
    const over = new AbortController();
    const all = Promise.allSettled(this.#replies.values()).then(() => over.abort());
    await Promise.race([all, sleep(ms, undefined, { signal: over.signal }).catch(() => {})]);
  }
}
