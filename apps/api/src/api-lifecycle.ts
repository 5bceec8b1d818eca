import type { BeforeApplicationShutdown, OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from '#observability';
import type { OpenRequests } from './delivery/open-requests.ts';

/** Time that a replica which stops takes for it. */
export interface DrainTimes {
  /** It still takes requests, but is not ready any more. */
  readonly delayMs: number;
  /** Open requests may finish. */
  readonly graceMs: number;
}

/** Stops a replica in order: readiness goes red, no new requests, open ones finish, then everything is closed. */
export class ApiLifecycle implements BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #openRequests: OpenRequests;
  readonly #times: DrainTimes;
  readonly #release: () => Promise<void>;
  readonly #logger: Logger;

  /** @param release closes what `startApi` opened, after the last request */
  constructor(openRequests: OpenRequests, times: DrainTimes, release: () => Promise<void>, logger: Logger) {
    this.#openRequests = openRequests;
    this.#times = times;
    this.#release = release;
    this.#logger = logger;
  }

  async beforeApplicationShutdown(signal?: string): Promise<void> {
    const { delayMs, graceMs } = this.#times;
    this.#logger.info({ signal: signal ?? null, open: this.#openRequests.size, delayMs, graceMs }, 'stopping');
    await this.#openRequests.drain(delayMs, graceMs);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#release();
    this.#logger.info('stopped');
  }
}
