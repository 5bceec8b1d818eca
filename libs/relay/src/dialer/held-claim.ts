import type { relay } from '#contracts';
import type { ClaimOutcome, ClaimRequest, ResumedChoice } from '../relay-ports.ts';
import type { ReplicaStream } from './replica-stream.ts';

/**
 * One attempt that this worker asked for: `asking` until the replica answers, then `granted` until its last choice
 * has finished, it failed, or its stream broke; a denied claim is forgotten.
 */
export class HeldClaim {
  readonly requestId: string;
  readonly epoch: number;
  readonly answer: Promise<ClaimOutcome>;
  stream: ReplicaStream | null = null;
  openChoices: number;
  #granted = false;
  #early: relay.StepBatch | null = null;
  #resolve: (outcome: ClaimOutcome) => void = () => undefined;

  constructor(request: ClaimRequest) {
    this.requestId = request.requestId;
    this.epoch = request.epoch;
    this.openChoices = request.choices;
    this.answer = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get granted(): boolean {
    return this.#granted;
  }

  /** @param resume what was delivered of each choice before; empty when nothing was */
  grant(resume: readonly ResumedChoice[]): void {
    this.#granted = true;
    this.openChoices -= resume.filter(({ finished }) => finished).length;
    this.settle(resume.length === 0 ? 'granted' : { resume });
  }

  /** Where frames wait that were made before the answer; null behind a failure, which is the attempt's end. */
  early(step: number): relay.StepBatch | null {
    this.#early ??= { step, deltas: [], finished: [], failed: [] };
    return this.#early.failed.length === 0 ? this.#early : null;
  }

  /** What waits, if anything does; it waits no longer. */
  takeEarly(): relay.StepBatch | null {
    const early = this.#early;
    this.#early = null;
    return early;
  }

  /** Only the first answer counts. */
  settle(outcome: ClaimOutcome): void {
    this.#resolve(outcome);
  }
}
