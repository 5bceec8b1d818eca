/** Where a request was when its end was asked for. */
export const CANCEL_PHASES = ['queued', 'prefill', 'decode', 'failover'] as const;
export type CancelPhase = (typeof CANCEL_PHASES)[number];

/** Hears how long cancels take: from the wish until the job has left the queue, or the worker's engine the sequence. */
export interface CancelLatency {
  observe(phase: CancelPhase, latencyMs: number): void;
}
