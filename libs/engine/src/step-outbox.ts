import { HeldDeltas } from './held-deltas.ts';
import type {
  EngineStats,
  RequestFailure,
  SequenceDelta,
  SequenceFinish,
  SequenceSeat,
  StepOutput,
} from './step-output.ts';

/** Collects what a step makes and publishes it as one output. */
export class StepOutbox {
  readonly #listeners: ((output: StepOutput) => void)[] = [];
  #seated: SequenceSeat[] = [];
  #deltas: SequenceDelta[] = [];
  #finished: SequenceFinish[] = [];
  #failed: RequestFailure[] = [];
  readonly #held = new HeldDeltas();
  #published: EngineStats | null = null;

  addListener(listener: (output: StepOutput) => void): void {
    this.#listeners.push(listener);
  }

  seated(seat: SequenceSeat): void {
    this.#seated.push(seat);
  }

  /** @param whole the answer is delivered when it is complete: all but its first token may wait a moment for others */
  delta(delta: SequenceDelta, whole: boolean): void {
    if (whole && delta.firstIndex > 0) this.#held.add(delta);
    else this.#deltas.push(delta);
  }

  finished(finish: SequenceFinish): void {
    this.#deltas.push(...this.#held.takeChoice(finish));
    this.#finished.push(finish);
  }

  failed(failure: RequestFailure): void {
    this.#deltas.push(...this.#held.takeRequest(failure));
    this.#failed.push(failure);
  }

  /** Publishes what was collected; also when there is nothing but changed counters. */
  publish(step: number, stats: EngineStats): void {
    this.#deltas.push(...this.#held.takeDue());
    const collected = this.#seated.length + this.#deltas.length + this.#finished.length + this.#failed.length > 0;
    if (!collected && this.#published !== null && sameStats(stats, this.#published)) return;
    this.#published = stats;
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
