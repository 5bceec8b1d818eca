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

  /**
   * What a choice gets in one step leaves as one delta.
   * @param whole the answer is delivered when it is complete: all but its first token may wait a moment for others
   */
  delta(delta: SequenceDelta, whole: boolean): void {
    const last = this.#deltas.at(-1);
    if (whole && delta.firstIndex > 0) this.#held.add(delta);
    else if (last !== undefined && goesOn(last, delta)) this.#deltas[this.#deltas.length - 1] = joined(last, delta);
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

function goesOn(last: SequenceDelta, { requestId, epoch, choice, firstIndex }: SequenceDelta): boolean {
  return (
    last.requestId === requestId &&
    last.epoch === epoch &&
    last.choice === choice &&
    last.firstIndex + last.tokenIds.length === firstIndex
  );
}

function joined(last: SequenceDelta, { tokenIds, text, logprobs }: SequenceDelta): SequenceDelta {
  return {
    ...last,
    tokenIds: [...last.tokenIds, ...tokenIds],
    text: last.text + text,
    logprobs: [...last.logprobs, ...logprobs],
  };
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
