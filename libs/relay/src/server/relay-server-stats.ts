import type { RefusalCause } from '../fence/refusal-cause.ts';

/** A reading of the relay server's counters. Counts with `Total` in the name only grow. */
export interface RelayServerStats {
  /** Streams attached now. */
  readonly streams: number;
  readonly openRequests: number;
  /** Messages taken from workers. */
  readonly framesTotal: number;
  /** Of those messages, as encoded. */
  readonly bytesTotal: number;
  /** Tokens delivered to sinks. */
  readonly tokensTotal: number;
  /** Streams that ended while they held unfinished requests. */
  readonly streamsLostTotal: number;
  readonly refusedTotal: Readonly<Record<RefusalCause, number>>;
  /** Jobs that were offered to a worker, by its answer. */
  readonly offersTotal: Readonly<Record<'accepted' | 'declined' | 'unanswered', number>>;
  readonly workers: readonly AttachedWorker[];
}

export interface AttachedWorker {
  readonly workerId: string;
  readonly models: readonly string[];
  readonly slots: number;
  /** Requests granted to this worker that have not ended. */
  readonly granted: number;
}
