import { setTimeout as sleep } from 'node:timers/promises';
import { type Job, Worker } from 'bullmq';
import { afterThisTurn } from './after-this-turn.ts';

/** How long a job that is alone has the processors for itself: about as long as its first token takes on the way to its client. */
const REST_MS = 3;

/**
 * BullMQ's worker, which also tells when it last really asked Redis for work. Only that shows that its loop is alive:
 * `isRunning()` stays true when the loop hangs on a connection that Redis has forgotten (bullmq issues 4378, 4479, 4585).
 */
export class FetchWatchingWorker extends Worker {
  #lastFetchMs = 0;
  #hasFetched = false;
  #nothingFetched: (() => void) | null = null;
  #isAlone: () => boolean = () => false;
  #beforeAsking: () => void = () => {};

  /** `performance.now()` of the last answer from Redis to this worker's loop; 0 before the first and after a lost connection. */
  get lastFetchMs(): number {
    return this.#lastFetchMs;
  }

  noteContact(): void {
    this.#lastFetchMs = performance.now();
  }

  noteLoss(): void {
    this.#lastFetchMs = 0;
  }

  /** The listener hears when Redis was asked for work and had none. */
  onNothingFetched(listener: () => void): void {
    this.#nothingFetched = listener;
  }

  /** @param isAlone whether the job that was just taken is the only one that runs here */
  letAloneRest(isAlone: () => boolean): void {
    this.#isAlone = isAlone;
  }

  /** The listener is called before Redis is asked for a job by itself, not at the end of one. */
  beforeAsking(listener: () => void): void {
    this.#beforeAsking = listener;
  }

  /** Makes the loop look at its concurrency now, not when the next job ends. BullMQ's own `resume` does the same. */
  wake(): void {
    // biome-ignore lint/complexity/useLiteralKeys: it is private in the types.
    this['mainLoopQueue']?.add(Promise.resolve());
  }

  /**
   * The first job after a pause is mostly alone. Taking it has set BullMQ's marker, so the next question goes by that, as after an empty
   * answer: asking at once would be answered "nothing", and the marker would have the same asked again.
   */
  #waitForMarker(): void {
    // biome-ignore lint/complexity/useLiteralKeys: it is private in the types.
    this['drained'] = true;
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    // What the job before has begun goes first: its client waits, and there may be no other job.
    const wasIdle = !this.#hasFetched;
    if (!wasIdle) await afterThisTurn();
    this.#beforeAsking();
    const job = await super.moveToActive(token, name);
    this.#hasFetched = job !== undefined;
    this.noteContact();
    if (wasIdle && this.#hasFetched) {
      this.#waitForMarker();
      // Its work has begun. Three more answers of Redis would wake two processes while its first token is made. Beside others that
      // run there is no such quiet to keep, and more may be waiting.
      if (this.#isAlone()) await sleep(REST_MS);
    }
    if (job === undefined) this.#nothingFetched?.();
    return job;
  }
}
