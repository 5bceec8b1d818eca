import { METRICS, type Metrics } from '#observability';
import type { NvidiaReading } from './nvidia-device.ts';

/** A call of the driver's tool takes some tens of milliseconds of a core. */
const EVERY_MS = 10_000;

export interface DeviceWatchParts {
  readonly read: () => Promise<NvidiaReading>;
  /** Whether some model is on the device now. */
  readonly inUse: () => boolean;
  /** Told of the first of several failures that follow each other. */
  readonly onProblem: (problem: Error) => void;
  readonly everyMs?: number;
}

/** The latest that is known of the device that models run on; it is asked for as long as one does. */
export class DeviceWatch implements Disposable {
  readonly #parts: DeviceWatchParts;
  readonly #timer: NodeJS.Timeout;
  #latest: NvidiaReading | null = null;
  #asking = false;
  #failed = false;

  constructor(parts: DeviceWatchParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.look(), parts.everyMs ?? EVERY_MS).unref();
  }

  /** Null where no model is on a device, and while nothing can be told of it. */
  get latest(): NvidiaReading | null {
    return this.#parts.inUse() ? this.#latest : null;
  }

  /** Never rejects; one question at a time. */
  async look(): Promise<void> {
    if (this.#asking || !this.#parts.inUse()) return;
    this.#asking = true;
    try {
      this.#latest = await this.#parts.read();
      this.#failed = false;
    } catch (error) {
      this.#latest = null;
      if (!this.#failed) this.#parts.onProblem(error as Error);
      this.#failed = true;
    } finally {
      this.#asking = false;
    }
  }

  expose(metrics: Metrics): void {
    const of = (value: (reading: NvidiaReading) => number | null) => () => {
      const { latest } = this;
      return [{ labels: {}, value: (latest === null ? null : value(latest)) ?? 0 }];
    };
    metrics.read(
      METRICS.deviceMemoryUsed,
      of(({ usedBytes }) => usedBytes),
    );
    metrics.read(
      METRICS.deviceMemoryTotal,
      of(({ totalBytes }) => totalBytes),
    );
    metrics.read(
      METRICS.deviceUtilization,
      of(({ utilization }) => utilization),
    );
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
