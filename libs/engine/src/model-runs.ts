import type { ModelRunner } from '#contracts';
import type { MaskTime } from './constraints/mask-time.ts';
import { type RowLogits, RunLogits } from './row-logits.ts';
import type { SchedulerOutput } from './scheduler/scheduler-output.ts';
import type { Sequence } from './sequences/sequence.ts';

/** Starts the forward pass that a step needs, from buffers that are made once. */
export class ModelRuns {
  readonly #runner: ModelRunner;
  readonly #masks: Pick<MaskTime, 'isShort'>;
  readonly #logits: RunLogits;
  /** Inputs of a decode run. [slots] */
  readonly #rowTokenIds: Int32Array;
  /** [slots] */
  readonly #rowPastTokens: Int32Array;
  /** [maxTokens of verification] inputs of such a run */
  readonly #verifyTokenIds: Int32Array;

  constructor(runner: ModelRunner, masks: Pick<MaskTime, 'isShort'>) {
    const { slots } = runner;
    this.#runner = runner;
    this.#masks = masks;
    this.#logits = new RunLogits(runner);
    this.#rowTokenIds = new Int32Array(slots);
    this.#rowPastTokens = new Int32Array(slots);
    this.#verifyTokenIds = new Int32Array(runner.verification?.maxTokens ?? 0);
  }

  /** The logits that a decode run or a verification left in a row, or a prefill in row 0. */
  logitsOf(row: number): RowLogits {
    return this.#logits.rows[row];
  }

  /** A promise only where the runner makes one. @throws whatever the runner throws */
  start(work: SchedulerOutput): void | Promise<void> {
    const run = this.#start(work);
    if (this.#runner.deviceLogits == null) return run;
    const choosing = () => this.#logits.select(choosingRows(work), work.kind === 'decode' && this.#masks.isShort);
    return run instanceof Promise ? run.then(choosing) : choosing();
  }

  #start(work: SchedulerOutput): void | Promise<void> {
    if (work.kind === 'prefill') {
      const { sequence, chunkTokens, part, parts } = work;
      const chunk = sequence.prefillTokenIds.subarray(sequence.computedTokens, sequence.computedTokens + chunkTokens);
      const { prefillParts } = this.#runner;
      if (parts > 1 && prefillParts != null)
        return prefillParts.run(part, sequence.slot, chunk, sequence.computedTokens);
      return this.#runner.prefill(sequence.slot, chunk, sequence.computedTokens);
    }
    if (work.kind === 'verify') {
      const { sequence, proposals } = work;
      const tokenIds = this.#verifyTokenIds.subarray(0, 1 + proposals.length);
      tokenIds[0] = sequence.nextInputTokenId;
      tokenIds.set(proposals, 1);
      return this.#runner.verification?.run(sequence.slot, tokenIds, sequence.computedTokens);
    }
    if (work.kind === 'decode') {
      const { rows } = work;
      for (let row = 0; row < rows.length; row++) {
        this.#rowTokenIds[row] = rows[row].nextInputTokenId;
        this.#rowPastTokens[row] = rows[row].computedTokens;
      }
      return this.#runner.decode(rows.length, this.#rowTokenIds, this.#rowPastTokens);
    }
  }
}

/** Of a run's rows the sequences that choose a token from it; null where one has tokens left to compute, or others want the row whole. */
function choosingRows(work: SchedulerOutput): (Sequence | null)[] {
  if (work.kind === 'decode') return work.rows.map((sequence) => (sequence.catchesUpAfter(1) ? null : sequence));
  if (work.kind !== 'prefill') return [];
  const { sequence, chunkTokens } = work;
  return [sequence.catchesUpAfter(chunkTokens) || sequence.request.hasWaitingSiblings ? null : sequence];
}
