import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 5;
const NS_PER_MS = 1e6;

export interface EventLoopDelayReading {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** How long the reading covers. */
  readonly windowMs: number;
}

/** How late the main thread's timers are: the time for which locks, heartbeats and the relay had to wait. */
export class EventLoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #sinceMs = performance.now();

  constructor() {
    this.#histogram.enable();
  }

  read(): EventLoopDelayReading {
    return {
      p50Ms: this.#percentileMs(50),
      p99Ms: this.#percentileMs(99),
      maxMs: delayMs(this.#histogram.max),
      windowMs: performance.now() - this.#sinceMs,
    };
  }

  restart(): void {
    this.#histogram.reset();
    this.#sinceMs = performance.now();
  }

  stop(): void {
    this.#histogram.disable();
  }

  #percentileMs(percentile: number): number {
    return delayMs(this.#histogram.percentile(percentile));
  }
}

/** The histogram holds times between two ticks of its timer; what is above the timer's interval is the delay. */
function delayMs(intervalNs: number): number {
  return Math.max(0, intervalNs / NS_PER_MS - RESOLUTION_MS);
}
