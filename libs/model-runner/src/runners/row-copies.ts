import type { BoundRun, BoundTensor, SessionBinding } from '../binding/session-binding.ts';
import { Int64Buffer } from './int64-buffer.ts';

/** Copies of rows from some buffers on a device to others (`copyGraph`, both sides numbered) that wait, so that many make one run. */
export class RowCopies {
  readonly #binding: SessionBinding;
  readonly #run: BoundRun;
  readonly #mostRows: number;
  readonly #from: Int64Buffer;
  readonly #to: Int64Buffer;
  /** By the row that is written: of two copies to it the later one counts, as if each were made at once. */
  readonly #waiting = new Map<number, number>();

  /**
   * @param graph of `copyGraph`
   * @param read [rows, headSize] each; written by nobody while copies wait
   * @param target [rows, headSize] each
   * @param mostRows of one run, which holds so many of a buffer besides
   */
  constructor(
    binding: SessionBinding,
    graph: SessionBinding,
    read: readonly BoundTensor[],
    target: readonly BoundTensor[],
    mostRows: number,
  ) {
    this.#binding = binding;
    this.#mostRows = mostRows;
    this.#from = new Int64Buffer(mostRows);
    this.#to = new Int64Buffer(mostRows);
    this.#run = graph.newRun();
    [...read, ...target].forEach((tensor, i) => {
      this.#run.setInput(2 + i, tensor);
    });
    target.forEach((tensor, i) => {
      this.#run.setOutput(i, tensor);
    });
  }

  add(from: number, to: number, rows: number): void {
    if (this.#waiting.size + rows > this.#mostRows) this.make();
    for (let row = 0; row < rows; row++) this.#waiting.set(to + row, from + row);
  }

  /** Makes those that wait. They go on waiting when the run fails: what they should write may be believed to be there. */
  make(): void {
    const rows = this.#waiting.size;
    if (rows === 0) return;
    let i = 0;
    for (const [to, from] of this.#waiting) {
      this.#from.set(i, from);
      this.#to.set(i++, to);
    }
    const from = this.#binding.tensor(this.#from.values.subarray(0, rows), [rows]);
    const to = this.#binding.tensor(this.#to.values.subarray(0, rows), [rows, 1]);
    try {
      this.#run.setInput(0, from);
      this.#run.setInput(1, to);
      void this.#run.run();
    } finally {
      from.release();
      to.release();
    }
    this.#waiting.clear();
  }
}
