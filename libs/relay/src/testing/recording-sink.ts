import type { MillraceError, relay } from '#contracts';
import type { RelaySink } from '../relay-ports.ts';

/** A sink that keeps what it is told, and lets a test wait until it has heard enough. */
export class RecordingSink implements RelaySink {
  readonly workers: string[] = [];
  readonly deltas: relay.Delta[] = [];
  readonly ends: relay.Finished[] = [];
  readonly errors: MillraceError[] = [];
  readonly #waiting = new Set<() => void>();

  granted(workerId: string): void {
    this.workers.push(workerId);
    this.#wake();
  }

  delta(delta: relay.Delta): void {
    this.deltas.push(delta);
    this.#wake();
  }

  finished(finished: relay.Finished): void {
    this.ends.push(finished);
    this.#wake();
  }

  failed(error: MillraceError): void {
    this.errors.push(error);
    this.#wake();
  }

  get text(): string {
    return this.deltas.map((delta) => delta.text).join('');
  }

  tokens(choice = 0): number[] {
    return this.deltas.filter((delta) => delta.choice === choice).flatMap((delta) => delta.tokenIds);
  }

  /** Resolves once `holds` does; rejects after `timeoutMs`, naming what was heard. */
  async until(holds: (sink: this) => boolean, timeoutMs = 5_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!holds(this)) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error(`not heard within ${timeoutMs} ms; heard ${JSON.stringify(this)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, leftMs);
        function wake(): void {
          clearTimeout(timer);
          resolve();
        }
        this.#waiting.add(wake);
      });
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
