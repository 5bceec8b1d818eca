/** Where a request was when its end was asked for. */
export const CANCEL_PHASES = ['rendering', 'queued', 'prefill', 'decode', 'failover'] as const;
export type CancelPhase = (typeof CANCEL_PHASES)[number];

/**
 * Hears how long cancels take: from the wish until the request's rendering is over, its job has left the queue, or its
 * sequences the worker's engine.
 */
export interface CancelLatency {
  observe(phase: CancelPhase, latencyMs: number, requestId: string): void;
}
