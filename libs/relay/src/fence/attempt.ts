import type { TransientSet } from '#collections';
import type { RelaySink, ResumedChoice } from '../relay-ports.ts';
import { ChoiceFence } from './choice-fence.ts';

/** The worker's end of an attempt: one attached stream. Two streams of the same worker are two holders. */
export interface AttemptHolder {
  readonly workerId: string;
  /** Of the worker's process; empty when it did not say. */
  readonly processId: string;
  /** Whether it goes on behind what was delivered; a worker of an older release would begin anew. */
  readonly canResume: boolean;
  /** The attempts granted to this stream that have not ended; kept by the register. */
  readonly attempts: TransientSet<Attempt>;
  sendCancel(requestId: string, epoch: number, reason: string): void;
}

/**
 * One open attempt of a request: `open` until a worker's claim is granted, `granted` until its last choice has
 * finished or it failed, then `ended`, which is terminal.
 */
export class Attempt {
  readonly requestId: string;
  readonly epoch: number;
  readonly fence: ChoiceFence;
  readonly sink: RelaySink;
  /** What an earlier attempt delivered of each choice; empty when there is nothing to go on behind. */
  readonly resume: readonly ResumedChoice[];
  #holder: AttemptHolder | null = null;
  #ended = false;

  constructor(requestId: string, epoch: number, choices: number, sink: RelaySink, resume: readonly ResumedChoice[]) {
    this.requestId = requestId;
    this.epoch = epoch;
    this.fence = new ChoiceFence(choices, resume);
    this.sink = sink;
    this.resume = resume;
  }

  get holder(): AttemptHolder | null {
    return this.#holder;
  }

  get ended(): boolean {
    return this.#ended;
  }

  grant(holder: AttemptHolder): void {
    this.#holder = holder;
    holder.attempts.add(this);
  }

  /** Ends the attempt without a word to the sink. Idempotent. */
  end(): void {
    this.#ended = true;
    this.#holder?.attempts.delete(this);
  }
}
