import type { ModelRunner } from '#contracts';

/** How long each figure is measured, at least two runs. */
export interface Slice {
  readonly sliceMs: number;
}

const LEAST_RUNS = 2;
/** Of a prompt that is measured, and the context that decode runs see. */
const PROMPT_TOKENS = 256;

/** Tokens per second of a loaded model, as the runner alone computes them: no scheduling, no sampling. */
export class ModelSpeed {
  readonly #runner: ModelRunner;
  readonly #promptTokens: number;
  #filledSlots = 0;

  constructor(runner: ModelRunner) {
    this.#runner = runner;
    this.#promptTokens = Math.min(PROMPT_TOKENS, Math.floor(runner.slotTokens / 2));
  }

  /**
   * Of all rows together.
   * @param rows at most the runner's slots
   * @param contextTokens what each row has before
   */
  async decode(rows: number, { sliceMs }: Slice, contextTokens: number = this.#promptTokens): Promise<number> {
    await this.#fill(rows);
    const { vocabularySize } = this.#runner.shape;
    const tokenIds = Int32Array.from({ length: rows }, (_, row) => (row * 13 + 7) % vocabularySize);
    const past = new Int32Array(rows).fill(Math.min(contextTokens, this.#promptTokens));
    await this.#runner.decode(rows, tokenIds, past); // the first one takes memory
    const runMs: number[] = [];
    const endAtMs = performance.now() + sliceMs;
    while (runMs.length < LEAST_RUNS || performance.now() < endAtMs) {
      const beganMs = performance.now();
      await this.#runner.decode(rows, tokenIds, past);
      runMs.push(performance.now() - beganMs);
    }
    return (rows * 1_000) / median(runMs);
  }

  /** Of one prompt, in chunks of so many tokens. */
  async prefill(chunkTokens: number, { sliceMs }: Slice): Promise<number> {
    const length = Math.min(chunkTokens, this.#promptTokens);
    const chunk = Int32Array.from({ length }, (_, index) => (index * 37 + 3) % this.#runner.shape.vocabularySize);
    const runMs: number[] = [];
    const endAtMs = performance.now() + sliceMs;
    let past = 0;
    while (runMs.length < LEAST_RUNS || performance.now() < endAtMs) {
      if (past + length > this.#runner.slotTokens) past = 0;
      const beganMs = performance.now();
      await this.#runner.prefill(0, chunk, past);
      runMs.push(performance.now() - beganMs);
      past += length;
    }
    return (length * 1_000) / median(runMs);
  }

  /** Memory that was never written is one page over and over, which no real context is. */
  async #fill(rows: number): Promise<void> {
    if (rows <= this.#filledSlots) return;
    const tokens = this.#promptTokens;
    const prompt = Int32Array.from(
      { length: tokens },
      (_, index) => (index * 37 + 3) % this.#runner.shape.vocabularySize,
    );
    await this.#runner.prefill(0, prompt, 0);
    for (let slot = 1; slot < rows; slot += 1) this.#runner.copySlot(0, slot, tokens);
    this.#filledSlots = rows;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
