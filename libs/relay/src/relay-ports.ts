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

/** What the client has of one choice when a request is given to another worker. */
export interface ResumedChoice {
  /** From the choice's first token. */
  readonly tokenIds: readonly number[];
  /** Its end was delivered too: it is not to be run again. */
  readonly finished: boolean;
}

/** Granted, behind what an earlier attempt delivered. */
export interface ResumeGrant {
  /** One per choice. */
  readonly resume: readonly ResumedChoice[];
}

/** The API replica's answer to a claim: whether the client of a job is still there, and what it has already. */
export type ClaimOutcome = 'granted' | ResumeGrant | 'denied';

/** What a worker asks with; a `GenerateJob` is one. */
export interface ClaimRequest {
  readonly requestId: string;
  readonly epoch: number;
  /** Number of `finished` that end the attempt. */
  readonly choices: number;
  readonly relayAddress: string;
  /** The replica has offered it to this worker, which is a grant in itself: it says so only should it have changed its mind. */
  readonly offered?: boolean;
}

/** A job for a worker, instead of the queue. */
export interface JobOffer {
  readonly requestId: string;
  readonly epoch: number;
  readonly model: string;
  /** JSON, as it would go into the queue. */
  readonly job: string;
  /** Whose it is, when it is only for a worker on which that tenant has less than its share; null for one with a free slot. */
  readonly dueTenant: string | null;
}

/** A job that a replica offers to this worker. */
export interface OfferedJob {
  readonly requestId: string;
  readonly epoch: number;
  readonly model: string;
  /** JSON, as it would have gone into the queue. */
  readonly job: string;
  /** It is only for a worker on which its tenant has less than its share; else for one with a free slot. */
  readonly due: boolean;
}

/** An attached worker that takes offers. */
export interface OfferTaker {
  readonly workerId: string;
  /** Attempts of this replica that it was granted and has not finished. */
  readonly held: number;
}
