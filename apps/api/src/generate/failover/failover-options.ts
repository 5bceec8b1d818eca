export interface FailoverOptions {
  /** How many attempts may lose their worker or fail in its engine before the request is refused. */
  readonly attempts: number;
  /** Longest time in ms from the loss of a worker until another one goes on, and in the queue while no worker lives. */
  readonly waitMs: number;
  /** First look at a job that no worker has claimed; later looks at a queued job come at growing intervals. */
  readonly firstLookMs: number;
  readonly longestLookMs: number;
  /** A job that a worker took and has not claimed for so long is not going to be; longer than the relay's claim timeout. */
  readonly takenMs: number;
  /** Pause between tries to queue a request again while Redis is away. */
  readonly enqueueRetryMs: number;
}

export const FAILOVER_TIMES = {
  firstLookMs: 1_500,
  longestLookMs: 10_000,
  takenMs: 2_500,
  enqueueRetryMs: 250,
} as const satisfies Partial<FailoverOptions>;
