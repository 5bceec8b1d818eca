import type { BoundRun } from '../binding/session-binding.ts';

/** Where a decode step's inputs before the cache are, and how they come there. */
export interface DecodeRunInputs {
  /** Sets the inputs of a run that will always have this many rows. */
  attach(run: BoundRun, rows: number): void;
  /** @param tokenIds [≥ rows] @param pastTokens [≥ rows] */
  fill(run: BoundRun, rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void>;
}

/** Decode runs over one kind of inputs. A run and its tensors are made once for each number of rows, so a step allocates nothing. */
export class DecodeRuns {
  readonly #inputs: DecodeRunInputs;
  readonly #newRun: (rows: number) => BoundRun;
  readonly #runs: BoundRun[] = [];

  /** @param newRun a run of so many rows whose cache and logits are set */
  constructor(inputs: DecodeRunInputs, newRun: (rows: number) => BoundRun) {
    this.#inputs = inputs;
    this.#newRun = newRun;
  }

  run(rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void> {
    const run = this.#runs[rows] ?? this.#make(rows);
    const filling = this.#inputs.fill(run, rows, tokenIds, pastTokens);
    return filling === undefined ? run.run() : filling.then(() => run.run());
  }

  #make(rows: number): BoundRun {
    const run = this.#newRun(rows);
    this.#inputs.attach(run, rows);
    this.#runs[rows] = run;
    return run;
  }
}
