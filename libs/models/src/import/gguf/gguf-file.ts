import { type FileHandle, open } from 'node:fs/promises';
import { ModelImportError } from '../model-import-error.ts';
import { dequantize } from './dequantize.ts';
import { type GgufHeader, type GgufValue, parseGgufHeader } from './gguf-header.ts';
import { OTHER_TYPE_NAMES, TENSOR_TYPES, type TensorType } from './tensor-types.ts';

const FIRST_READ_BYTES = 8 << 20;
const COPY_AGAIN = 'copy or download the file again';

export interface GgufTensor {
  readonly name: string;
  readonly type: TensorType;
  /** 1 for vectors. */
  readonly rows: number;
  readonly columns: number;
  readonly rowBytes: number;
  /** In the file. */
  readonly start: number;
}

/** An open GGUF: its metadata and tensors are known, weights are read as they are asked for. */
export class GgufFile implements AsyncDisposable {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle, header: GgufHeader, fileBytes: number) {
    this.path = path;
    this.#file = file;
    this.metadata = header.metadata;
    const tensors = new Map<string, GgufTensor>();
    for (const { name, dimensions, typeNumber, offset } of header.tensors) {
      const type = TENSOR_TYPES.get(typeNumber);
      if (type === undefined) {
        const supported = [...TENSOR_TYPES.values()].map((known) => known.name).join(', ');
        throw new ModelImportError(
          path,
          `tensor ${name} has the type ${OTHER_TYPE_NAMES[typeNumber] ?? typeNumber}, supported are ${supported}`,
          'take another quantization of this model, such as Q4_0, Q4_K_M or Q8_0',
        );
      }
      const columns = dimensions[0] ?? 1;
      const rows = dimensions.slice(1).reduce((product, size) => product * size, 1);
      const rowBytes = (columns / type.blockElements) * type.blockBytes;
      const start = header.dataStart + offset;
      if (!Number.isInteger(rowBytes))
        throw new ModelImportError(path, `tensor ${name} has rows of ${columns} weights in ${type.name}`, COPY_AGAIN);
      if (start + rows * rowBytes > fileBytes)
        throw new ModelImportError(
          path,
          `it is cut off: tensor ${name} ends at byte ${start + rows * rowBytes}, the file at ${fileBytes}`,
          COPY_AGAIN,
        );
      tensors.set(name, { name, type, rows, columns, rowBytes, start });
    }
    this.tensors = tensors;
  }

  /** @throws ModelImportError when the file is missing, cut off, no GGUF, or has tensors of types that are not supported */
  static async open(path: string): Promise<GgufFile> {
    const file = await open(path).catch((cause: Error) => {
      throw new ModelImportError(path, cause.message, 'give the path of a .gguf file that can be read', { cause });
    });
    try {
      const { size } = await file.stat();
      return new GgufFile(path, file, await readHeader(path, file, size), size);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The bytes of some rows, as the file has them. */
  async rows(tensor: GgufTensor, first: number, count: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafe(count * tensor.rowBytes);
    let filled = 0;
    while (filled < bytes.length) {
      const position = tensor.start + first * tensor.rowBytes + filled;
      const { bytesRead } = await this.#file.read(bytes, filled, bytes.length - filled, position);
      if (bytesRead === 0) throw new ModelImportError(this.path, `it ends inside tensor ${tensor.name}`, COPY_AGAIN);
      filled += bytesRead;
    }
    return bytes;
  }

  /** A whole small tensor in float32. */
  async floats(tensor: GgufTensor): Promise<Float32Array> {
    return dequantize(tensor.type, await this.rows(tensor, 0, tensor.rows));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** The header's length is not written anywhere: more is read until it is whole. */
async function readHeader(path: string, file: FileHandle, fileBytes: number): Promise<GgufHeader> {
  for (let length = FIRST_READ_BYTES; ; length *= 2) {
    const bytes = Buffer.alloc(Math.min(length, fileBytes));
    await file.read(bytes, 0, bytes.length, 0);
    try {
      return parseGgufHeader(path, bytes);
    } catch (cause) {
      if (cause instanceof RangeError && bytes.length < fileBytes) continue;
      if (cause instanceof ModelImportError) throw cause;
      const problem = cause instanceof RangeError ? 'it is cut off inside its header' : (cause as Error).message;
      throw new ModelImportError(path, problem, COPY_AGAIN, { cause });
    }
  }
}
