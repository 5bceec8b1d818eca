import type { ClaimOutcome, ClaimRequest, ResumedChoice } from '../relay-ports.ts';
import type { ReplicaStream } from './replica-stream.ts';

/**
 * One attempt that this worker asked for: held until the replica has answered and its last frame was sent, or its stream broke; a
 * denied claim is forgotten.
 */
export class HeldClaim {
  readonly requestId: string;
  readonly epoch: number;
  /** Granted as soon as the replica is told that it was taken. */
  readonly offered: boolean;
  readonly answer: Promise<ClaimOutcome>;
  stream: ReplicaStream | null = null;
  openChoices: number;
  /** Frames of it were sent: should it have been granted, they may have been delivered. */
  begun = false;
  /** Its last choice has finished, or it failed: nothing more of it is sent. */
  over = false;
  #granted = false;
  #resolve: (outcome: ClaimOutcome) => void = () => undefined;

  constructor(request: ClaimRequest) {
    this.requestId = request.requestId;
    this.epoch = request.epoch;
    this.offered = request.offered ?? false;
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

  /** Only the first answer counts. */
  settle(outcome: ClaimOutcome): void {
    this.#resolve(outcome);
  }
}
