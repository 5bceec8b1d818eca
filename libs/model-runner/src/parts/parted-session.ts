import type { KvType } from '#contracts';
import type { CApiRun, CApiSession } from '../binding/c-api-session.ts';
import type { BoundRun, BoundTensor, SessionBinding, TensorData } from '../binding/session-binding.ts';
import type { ModelPart } from './model-parts.ts';

type PartNames = Pick<ModelPart, 'inputNames' | 'outputNames' | 'takes' | 'leaves'>;

/** A part's session, opened with the names `inputNames` and `takes`, and `outputNames` and `leaves`. */
export interface OpenPart extends PartNames {
  readonly session: CApiSession;
}

/** One model as several sessions, one behind the other: seen from outside like one, but a run can be made part by part. */
export class PartedSession implements SessionBinding {
  readonly kind = 'c-api';
  readonly provider = 'cpu';
  /** Nothing of a device is reached: its memory belongs to one session. */
  readonly device = null;
  readonly runtimeVersion: string;
  readonly #parts: readonly OpenPart[];
  readonly #first: CApiSession;
  readonly #inputNames: readonly string[];
  readonly #outputNames: readonly string[];

  /**
   * @param parts at least one; interrupted with the last one's address
   * @param inputNames and `outputNames`: of the whole model, in the order in which runs set them
   */
  constructor(
    parts: readonly [OpenPart, ...OpenPart[]],
    inputNames: readonly string[],
    outputNames: readonly string[],
  ) {
    this.#parts = parts;
    this.#first = parts[0].session;
    this.#inputNames = inputNames;
    this.#outputNames = outputNames;
    this.runtimeVersion = this.#first.runtimeVersion;
  }

  get count(): number {
    return this.#parts.length;
  }

  get interruptAddress(): bigint {
    return this.#first.interruptAddress;
  }

  /** Of all parts: they share what was packed for the whole model. */
  get ownProducts(): number {
    return this.#first.ownProducts;
  }

  get ownCache(): KvType | null {
    return this.#first.ownCache;
  }

  get plainAttention(): boolean {
    return this.#first.plainAttention;
  }

  tensor(data: TensorData, dims: readonly number[]): BoundTensor {
    return this.#first.tensor(data, dims);
  }

  newRun(): PartedRun {
    return new PartedRun(this.#parts, this.#inputNames, this.#outputNames);
  }

  close(): void {
    // The last one's interrupt address stays in use until the others are closed.
    for (const { session } of this.#parts) session.close();
  }
}

export class PartedRun implements BoundRun {
  readonly #parts: readonly (PartNames & { readonly run: CApiRun })[];
  readonly #inputNames: readonly string[];
  readonly #outputNames: readonly string[];
  /** Hidden states of a run that is not at its end. */
  readonly #carried = new Map<string, BoundTensor>();

  constructor(parts: readonly OpenPart[], inputNames: readonly string[], outputNames: readonly string[]) {
    this.#parts = parts.map(({ session, ...names }) => ({ ...names, run: session.newRun() }));
    this.#inputNames = inputNames;
    this.#outputNames = outputNames;
  }

  setInput(index: number, tensor: BoundTensor): void {
    for (const part of this.#parts) {
      const at = part.inputNames.indexOf(this.#inputNames[index] ?? '');
      if (at >= 0) part.run.setInput(at, tensor);
    }
  }

  setOutput(index: number, tensor: BoundTensor): void {
    for (const part of this.#parts) {
      const at = part.outputNames.indexOf(this.#outputNames[index] ?? '');
      if (at >= 0) part.run.setOutput(at, tensor);
    }
  }

  run(): void {
    for (let part = 0; part < this.#parts.length; part++) this.runPart(part);
  }

  /** Parts are run from the first to the last; the first one drops what a run that was not ended has left. */
  runPart(index: number): void {
    if (index === 0) this.drop();
    const { run, inputNames, outputNames, takes, leaves } = this.#parts[index];
    takes.forEach((name, i) => {
      const tensor = this.#carried.get(name);
      if (tensor !== undefined) run.setInput(inputNames.length + i, tensor);
    });
    try {
      run.run();
    } catch (error) {
      this.drop();
      throw error;
    }
    leaves.forEach((name, i) => {
      this.#carried.set(name, run.takeOutput(outputNames.length + i));
    });
    if (index === this.#parts.length - 1) this.drop();
  }

  /** Gives up a run that was not ended. */
  drop(): void {
    for (const tensor of this.#carried.values()) tensor.release();
    this.#carried.clear();
  }
}
