/**
 * The starts of a worker's engine threads. Any number of them run at once, but CUDA captures for a whole process: what another thread asks of it
 * meanwhile fails, and ends the capture (decision 0041). So a start that captures decode runs is one of a worker's only model, and others wait
 * until it is over.
 */
export class EngineStarts {
  readonly #isAlone: () => boolean;
  /** Never rejects. */
  #capturing: Promise<void> | null = null;

  /** @param isAlone whether the worker has no other model, one that is starting or ending included */
  constructor(isAlone: () => boolean) {
    this.#isAlone = isAlone;
  }

  get isAlone(): boolean {
    return this.#isAlone();
  }

  /**
   * Starts when no other start captures.
   * @param capturedRows wanted by the settings; `start` gets as many, or 0 where the worker has other models
   * @param signal waits no longer
   * @param onWait called where it has to wait
   * @throws as `start` does, and the signal's reason where it came to an end while this waited
   */
  async run<Started>(
    capturedRows: number,
    start: (capturedRows: number) => Promise<Started>,
    signal: AbortSignal,
    onWait: () => void,
  ): Promise<Started> {
    if (this.#capturing !== null) onWait();
    while (this.#capturing !== null) {
      await settledOrAborted(this.#capturing, signal);
      signal.throwIfAborted();
    }
    const rows = this.isAlone ? capturedRows : 0;
    const starting = start(rows);
    if (rows === 0) return starting;
    const over = () => {
      this.#capturing = null;
    };
    this.#capturing = starting.then(over, over);
    return starting;
  }
}

async function settledOrAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const abort = () => resolve();
  signal.addEventListener('abort', abort, { once: true });
  await Promise.race([work, aborted]);
  signal.removeEventListener('abort', abort);
}
