/** Heartbeats, one a second, that may reach Redis while no jobs do reach the worker. */
const PATIENCE_BEATS = 30;

/**
 * Finds a worker that is alive but takes no jobs: Redis hears its heartbeats, and still no work is asked for. The queue makes
 * its connections anew by itself after 5 s of that, so what lasts for 30 s is for a restart to end. Redis being away is no
 * reason for one. Heartbeats are counted, not time, so that a process that slept is not restarted for it.
 */
export class ConsumptionWatch {
  #idleBeats = 0;

  /** Called when a heartbeat has reached Redis. */
  beat(shouldConsume: boolean, consumes: boolean): void {
    this.#idleBeats = shouldConsume && !consumes ? this.#idleBeats + 1 : 0;
  }

  /** Null when all is well. */
  get problem(): string | null {
    if (this.#idleBeats < PATIENCE_BEATS) return null;
    return `Redis answers, but for ${this.#idleBeats} heartbeats no jobs have been taken: the process has to be restarted`;
  }
}
