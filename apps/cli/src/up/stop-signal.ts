export type StopCause = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'orphaned';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The first request to stop: a signal, or the end of the process that started this one (its IPC channel closes).
 * Later ones change nothing: a stop is bounded in time anyway, and a terminal's Ctrl-C can arrive twice.
 */
export class StopSignal implements Disposable {
  readonly requested: Promise<StopCause>;
  readonly #release: () => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<StopCause>();
    this.requested = promise;
    const onSignal = (signal: NodeJS.Signals): void => {
      const known = SIGNALS.find((name) => name === signal);
      if (known !== undefined) resolve(known);
    };
    const onDisconnect = (): void => resolve('orphaned');
    for (const signal of SIGNALS) process.on(signal, onSignal);
    process.once('disconnect', onDisconnect);
    this.#release = () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
      process.off('disconnect', onDisconnect);
    };
  }

  [Symbol.dispose](): void {
    this.#release();
  }
}
