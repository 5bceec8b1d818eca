import type { MillraceError } from '#contracts';
import { WorkerLostError } from '#relay';

/** So many times the allowed losses end a request even where every worker has come back. */
const MOST_LOSSES = 3;

/**
 * How often a request has lost its worker, as evidence that it ends workers. On a machine that is overloaded, or over a bad
 * network, streams break while both ends live on: a process that is attached again was not ended, and its loss does not
 * count. One that was started anew under the same worker id is another process.
 */
export class LossCount {
  readonly #isAttached: (processId: string) => boolean;
  /** The lost processes; empty for a failure that a worker told of itself, and for one whose process is not known. */
  readonly #losses: string[] = [];
  readonly #workerIds: string[] = [];

  constructor(isAttached: (processId: string) => boolean) {
    this.#isAttached = isAttached;
  }

  add(error: MillraceError): void {
    const lost = error instanceof WorkerLostError ? error : null;
    this.#losses.push(lost?.processId ?? '');
    if (lost !== null) this.#workerIds.push(lost.workerId);
  }

  get total(): number {
    return this.#losses.length;
  }

  /** Those that are known, in the order in which they were lost. */
  get workerIds(): string[] {
    return [...this.#workerIds];
  }

  /** Losses that nothing has made good. */
  get count(): number {
    return this.#losses.filter((processId) => processId === '' || !this.#isAttached(processId)).length;
  }

  /** Whether the request should not be tried again, where `attempts` losses are allowed. */
  exhausts(attempts: number): boolean {
    return this.count >= attempts || this.#losses.length >= MOST_LOSSES * attempts;
  }
}
