import type { WorkerRecord } from '#contracts';
import type { Logger } from '#observability';
import type { WorkerDirectory } from '#queue';

const INTERVAL_MS = 1_000;
/** Several beats may fail before the worker counts as gone. */
const TTL_MS = 5_000;

export interface HeartbeatParts {
  readonly directory: WorkerDirectory;
  readonly logger: Logger;
  /** The record of this moment. */
  readonly record: () => WorkerRecord;
  /** Runs with every beat: keeps what else must stay in Redis. */
  readonly refresh: () => Promise<void>;
}

/** Tells the cluster every second that this worker lives and what it does. Redis being away is logged once, not fatal. */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  #timer: NodeJS.Timeout | null = null;
  #beating: Promise<void> = Promise.resolve();
  #stopped = false;
  #failing = false;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
  }

  /** Sends a beat now, after the one in hand, and from then on every second. */
  beat(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#beating = this.#beating.then(() => this.#beatOnce());
    return this.#beating;
  }

  /** Withdraws the record; nothing is sent afterwards. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#beating;
    const { directory, record, logger } = this.#parts;
    try {
      await directory.withdraw(record().workerId);
    } catch (error) {
      logger.warn({ err: error }, 'the record could not be withdrawn; it expires by itself');
    }
  }

  async #beatOnce(): Promise<void> {
    if (this.#stopped) return;
    const { directory, record, refresh, logger } = this.#parts;
    try {
      await refresh();
      await directory.publish(record(), TTL_MS);
      if (this.#failing) logger.info('heartbeats reach Redis again');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) logger.warn({ err: error }, 'heartbeats do not reach Redis; trying every second');
      this.#failing = true;
    }
    if (this.#stopped || this.#timer !== null) return;
    this.#timer = setTimeout(() => void this.beat(), INTERVAL_MS);
  }
}
