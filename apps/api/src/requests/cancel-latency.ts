/** Where a request was when its end was asked for. */
export type CancelPhase = 'queued' | 'prefill' | 'decode' | 'failover';

/** Hears how long cancels take: from the wish until the job has left the queue, or the worker's engine the sequence. */
export interface CancelLatency {
  observe(phase: CancelPhase, latencyMs: number): void;
}
