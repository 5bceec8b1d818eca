import type { RelaySink, RelaySubscription, ResumedChoice } from '#relay';

/** This replica's end of the relay, as far as the life of a request needs it (`RelayServer` of libs/relay). */
export interface RelayPort {
  readonly address: string;
  /** Whether a stream of this worker's process is open now. */
  attached(processId: string): boolean;
  open(
    requestId: string,
    epoch: number,
    choices: number,
    sink: RelaySink,
    resume?: readonly ResumedChoice[],
  ): RelaySubscription;
}
