import type { MillraceError, relay } from '#contracts';

/** Where the API replica's side of the relay puts one request's frames, already fenced: in order, nothing twice. */
export interface RelaySink {
  /** A worker holds the job of this attempt and was told to run it. */
  granted(workerId: string): void;
  delta(delta: relay.Delta): void;
  finished(finished: relay.Finished): void;
  /** The attempt is over without a result: the worker reported an error, or its stream broke (`worker_lost`). */
  failed(error: MillraceError): void;
}

/** A place on the API replica's relay for one attempt of a request; disposing it makes the relay refuse its frames. */
export interface RelaySubscription extends Disposable {
  /** Tells the worker that holds the request, if any, to stop it; its `finished` with reason cancelled still comes. */
  cancel(reason: string): void;
}

/** The worker's answer from the API replica: whether the client of a job is still there. */
export type ClaimOutcome = 'granted' | 'denied';

/** What a worker asks with; a `GenerateJob` is one. */
export interface ClaimRequest {
  readonly requestId: string;
  readonly epoch: number;
  /** Number of `finished` that end the attempt. */
  readonly choices: number;
  readonly relayAddress: string;
}
