import type { ModelRunner } from '#contracts';
import type { SchedulerOutput } from './scheduler/scheduler-output.ts';

/** Starts the forward pass that a step needs, from buffers that are made once. */
export class ModelRuns {
  readonly #runner: ModelRunner;
  /** Inputs of a decode run. [slots] */
  readonly #rowTokenIds: Int32Array;
  /** [slots] */
  readonly #rowPastTokens: Int32Array;
  /** [maxTokens of verification] inputs of such a run */
  readonly #verifyTokenIds: Int32Array;
  /** Views of the runner's logits, one row of the vocabulary's size each; a prefill's are in row 0. */
  readonly rowLogits: readonly Float32Array[];

  constructor(runner: ModelRunner) {
    const { slots, logits } = runner;
    const { vocabularySize } = runner.shape;
    this.#runner = runner;
    this.#rowTokenIds = new Int32Array(slots);
    this.#rowPastTokens = new Int32Array(slots);
    this.#verifyTokenIds = new Int32Array(runner.verification?.maxTokens ?? 0);
    this.rowLogits = Array.from({ length: logits.length / vocabularySize }, (_, row) =>
      logits.subarray(row * vocabularySize, (row + 1) * vocabularySize),
    );
  }

  /** A promise only where the runner makes one. @throws whatever the runner throws */
  start(work: SchedulerOutput): void | Promise<void> {
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
