import type { GgufFile, GgufTensor } from '../gguf/gguf-file.ts';
import type { TensorType } from '../gguf/tensor-types.ts';

const CHUNK_BYTES = 4 << 20;

export interface MatrixPart {
  readonly tensor: GgufTensor;
  /** Set where llama.cpp's converter interleaved the two halves of each head of so many rows. */
  readonly interleavedHead?: number;
}

/** One or several tensors of one type, seen as one [rows, columns] matrix with the rows in transformers' order. */
export class WeightMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly type: TensorType;
  readonly #file: GgufFile;
  readonly #parts: readonly MatrixPart[];

  constructor(file: GgufFile, parts: readonly [MatrixPart, ...MatrixPart[]]) {
    this.#file = file;
    this.#parts = parts;
    this.rows = parts.reduce((sum, { tensor }) => sum + tensor.rows, 0);
    this.columns = parts[0].tensor.columns;
    this.type = parts[0].tensor.type;
  }

  /** The file's bytes of some whole rows at a time. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    for (const { tensor, interleavedHead } of this.#parts) {
      const unit = interleavedHead ?? 1;
      const step = unit * Math.max(1, Math.floor(CHUNK_BYTES / (unit * tensor.rowBytes)));
      for (let first = 0; first < tensor.rows; first += step) {
        const bytes = await this.#file.rows(tensor, first, Math.min(step, tensor.rows - first));
        yield interleavedHead === undefined ? bytes : halvesApart(bytes, tensor.rowBytes, interleavedHead);
      }
    }
  }
}

/** [heads, headSize / 2, 2] rows to [heads, 2, headSize / 2] rows, which is transformers' order. */
export function halvesApart(bytes: Uint8Array, rowBytes: number, headSize: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  const half = headSize / 2;
  for (let row = 0; row < bytes.length / rowBytes; row++) {
    const within = row % headSize;
    const source = row - within + 2 * (within % half) + Math.floor(within / half);
    out.set(bytes.subarray(source * rowBytes, (source + 1) * rowBytes), row * rowBytes);
  }
  return out;
}
