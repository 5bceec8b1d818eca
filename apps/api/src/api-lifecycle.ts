import type { BeforeApplicationShutdown, OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from '#observability';
import type { OpenRequests } from './delivery/open-requests.ts';

/** Stops a replica in order: no new requests, open ones finish within the grace time, then everything is closed. */
export class ApiLifecycle implements BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #openRequests: OpenRequests;
  readonly #graceMs: number;
  readonly #release: () => Promise<void>;
  readonly #logger: Logger;

  /** @param release closes what `startApi` opened, after the last request */
  constructor(openRequests: OpenRequests, graceMs: number, release: () => Promise<void>, logger: Logger) {
    this.#openRequests = openRequests;
    this.#graceMs = graceMs;
    this.#release = release;
    this.#logger = logger;
  }

  async beforeApplicationShutdown(signal?: string): Promise<void> {
    this.#logger.info({ signal: signal ?? null, open: this.#openRequests.size, graceMs: this.#graceMs }, 'stopping');
    await this.#openRequests.drain(this.#graceMs);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#release();
    this.#logger.info('stopped');
  }
}
