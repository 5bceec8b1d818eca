import { setTimeout as sleep } from 'node:timers/promises';
import { RelayStreamError } from '../errors/relay-stream-error.ts';
import { MAX_CLAIM_WAIT_MS, redialDelayMs } from './redial-backoff.ts';
import type { ReplicaStream } from './replica-stream.ts';

/** Time after the last failed dial when an address that no stream came of is forgotten. */
const FORGET_MS = 60_000;

/** Whether a claim waits for a dial, or it is made before there is any. */
export type DialReason = 'claimed' | 'ahead';

/** One API replica's address: its stream when there is one, one dial at a time, and the backoff between dials. */
export class Replica {
  readonly address: string;
  readonly #open: (why: DialReason) => Promise<ReplicaStream>;
  #stream: ReplicaStream | null = null;
  #preparing: Promise<ReplicaStream> | null = null;
  #dialling: Promise<ReplicaStream> | null = null;
  #failures = 0;
  #failedAtMs = 0;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(address: string, open: (why: DialReason) => Promise<ReplicaStream>) {
    this.address = address;
    this.#open = open;
  }

  get stream(): ReplicaStream | null {
    return this.#stream;
  }

  get forgettable(): boolean {
    const dialling = this.#dialling ?? this.#preparing;
    return this.#stream === null && dialling === null && performance.now() - this.#failedAtMs > FORGET_MS;
  }

  /** The open stream, or a new one. @throws RelayStreamError when the dial fails or must wait too long. */
  connect(): Promise<ReplicaStream> {
    if (this.#stream?.isOpen) return Promise.resolve(this.#stream);
    const dial = () => this.#dial();
    this.#dialling ??= (this.#preparing?.catch(dial) ?? dial()).finally(() => {
      this.#dialling = null;
    });
    return this.#dialling;
  }

  /**
   * The same before a claim needs it. A failure is nobody's: it holds up no later dial, and a claim that came meanwhile dials anew.
   * @throws RelayStreamError when the dial fails
   */
  prepare(): Promise<ReplicaStream> {
    if (this.#stream?.isOpen) return Promise.resolve(this.#stream);
    if (this.#dialling !== null) return this.#dialling;
    this.#preparing ??= this.#dialNow('ahead').finally(() => {
      this.#preparing = null;
    });
    return this.#preparing;
  }

  /** Counts down to `then` while the stream is not used; a claim stops it. */
  armIdle(idleMs: number, then: (stream: ReplicaStream) => void): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => {
      const stream = this.#stream;
      if (stream !== null && stream.claims.size === 0) then(stream);
    }, idleMs);
    this.#idleTimer.unref();
  }

  /** Forgets `stream`, so that the next claim dials again. */
  drop(stream: ReplicaStream): void {
    if (this.#stream !== stream) return;
    this.#stream = null;
    clearTimeout(this.#idleTimer);
  }

  async #dial(): Promise<ReplicaStream> {
    const waitMs = this.#failedAtMs + redialDelayMs(this.#failures) - performance.now();
    if (this.#failures > 0 && waitMs > MAX_CLAIM_WAIT_MS) {
      throw new RelayStreamError(
        this.address,
        `${this.#failures} dials failed; the next is in ${Math.ceil(waitMs)} ms`,
      );
    }
    if (this.#failures > 0 && waitMs > 0) await sleep(waitMs);
    try {
      return await this.#dialNow('claimed');
    } catch (error) {
      this.#failures += 1;
      this.#failedAtMs = performance.now();
      throw error;
    }
  }

  async #dialNow(why: DialReason): Promise<ReplicaStream> {
    const stream = await this.#open(why);
    this.#stream = stream;
    this.#failures = 0;
    return stream;
  }
}
