import { HeldDeltas } from './held-deltas.ts';
import type {
  EngineStats,
  RequestFailure,
  SequenceDelta,
  SequenceFinish,
  SequenceSeat,
  StepOutput,
} from './step-output.ts';

/** Collects what steps make and publishes it as one output. */
export class StepOutbox {
  readonly #intervalMs: number;
  readonly #nowMs: () => number;
  readonly #listeners: ((output: StepOutput) => void)[] = [];
  #seated: SequenceSeat[] = [];
  #deltas: SequenceDelta[] = [];
  #finished: SequenceFinish[] = [];
  #failed: RequestFailure[] = [];
  readonly #held = new HeldDeltas();
  #published: EngineStats | null = null;
  #publishedAtMs = Number.NEGATIVE_INFINITY;
  /** A client waits for some of it: a first token, an end, a failure. */
  #urgent = false;
  #waiting = false;

  /** @param intervalMs between two outputs of which nothing is urgent, where steps are quicker than that */
  constructor(intervalMs = 0, nowMs: () => number = () => performance.now()) {
    this.#intervalMs = intervalMs;
    this.#nowMs = nowMs;
  }

  addListener(listener: (output: StepOutput) => void): void {
    this.#listeners.push(listener);
  }

  seated(seat: SequenceSeat): void {
    this.#seated.push(seat);
  }

  /**
   * One for each token, however many a run gave: a client sees no difference.
   * @param whole the answer is delivered when it is complete: all but its first token may wait a moment for others
   * @param first of its choice, or the first that shows anything: somebody waits for it
   */
  delta(delta: SequenceDelta, whole: boolean, first: boolean): void {
    if (whole && delta.firstIndex > 0) {
      this.#held.add(delta);
      return;
    }
    this.#deltas.push(delta);
    if (first) this.#urgent = true;
  }

  finished(finish: SequenceFinish): void {
    this.#deltas.push(...this.#held.takeChoice(finish));
    this.#finished.push(finish);
    this.#urgent = true;
  }

  failed(failure: RequestFailure): void {
    this.#deltas.push(...this.#held.takeRequest(failure));
    this.#failed.push(failure);
    this.#urgent = true;
  }

  /**
   * Like `publish`, but what nobody waits for may leave with the next steps': each output is a message to another thread and from there to a
   * client, and a small model makes ten tokens in a millisecond.
   * @param nextMs what the next step will take, as far as is known
   */
  publishSoon(step: number, stats: () => EngineStats, nextMs: number): void {
    this.#waiting = !this.#urgent && this.#nowMs() + nextMs - this.#publishedAtMs < this.#intervalMs;
    if (!this.#waiting) this.publish(step, stats());
  }

  /** Publishes what waits for the next steps, because they will take longer. */
  publishWaiting(step: number, stats: () => EngineStats): void {
    if (this.#waiting) this.publish(step, stats());
  }

  /** Publishes what was collected; also when there is nothing but changed counters. */
  publish(step: number, stats: EngineStats): void {
    this.#waiting = false;
    this.#urgent = false;
    this.#deltas.push(...this.#held.takeDue());
    const collected = this.#seated.length + this.#deltas.length + this.#finished.length + this.#failed.length > 0;
    if (!collected && this.#published !== null && sameStats(stats, this.#published)) return;
    this.#published = stats;
    if (this.#intervalMs > 0) this.#publishedAtMs = this.#nowMs();
    const output: StepOutput = {
      step,
      seated: this.#seated,
      deltas: this.#deltas,
      finished: this.#finished,
      failed: this.#failed,
      stats,
    };
    this.#seated = [];
    this.#deltas = [];
    this.#finished = [];
    this.#failed = [];
    for (const listener of this.#listeners) listener(output);
  }
}

function sameStats(a: EngineStats, b: EngineStats): boolean {
  return (
    a.stepsTotal === b.stepsTotal &&
    a.running === b.running &&
    a.waiting === b.waiting &&
    a.parked === b.parked &&
    a.freeSlots === b.freeSlots
  );
}
