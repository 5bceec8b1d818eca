import { type FileHandle, open } from 'node:fs/promises';
import { ModelImportError } from '../model-import-error.ts';
import { dequantize } from './dequantize.ts';
import { type GgufHeader, type GgufTensorInfo, type GgufValue, parseGgufHeader } from './gguf-header.ts';
import { pathsOfParts, splitOf } from './split-file.ts';
import { OTHER_TYPE_NAMES, TENSOR_TYPES, type TensorType } from './tensor-types.ts';

const FIRST_READ_BYTES = 8 << 20;
/** Vocabularies of a million tokens with their merges take a tenth. */
const MOST_HEADER_BYTES = 1 << 28;
const COPY_AGAIN = 'copy or download the file again';

export interface GgufTensor {
  readonly name: string;
  readonly type: TensorType;
  /** 1 for vectors. */
  readonly rows: number;
  readonly columns: number;
  readonly rowBytes: number;
  /** In its part of the file. */
  readonly start: number;
  /** Which of the files that a large model is split into; 0 where it is one. */
  readonly part: number;
}

interface Part {
  readonly path: string;
  readonly file: FileHandle;
  readonly fileBytes: number;
  readonly header: GgufHeader;
}

/** An open GGUF: its metadata and tensors are known, weights are read as they are asked for. */
export class GgufFile implements AsyncDisposable {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  readonly #parts: readonly Part[];

  private constructor(parts: readonly [Part, ...Part[]]) {
    this.path = parts[0].path;
    this.metadata = parts[0].header.metadata;
    this.#parts = parts;
    const tensors = new Map<string, GgufTensor>();
    for (const [index, part] of parts.entries())
      for (const info of part.header.tensors) {
        if (tensors.has(info.name))
          throw new ModelImportError(part.path, `it has the tensor ${info.name} twice`, COPY_AGAIN);
        tensors.set(info.name, { ...tensorIn(part, info), part: index });
      }
    this.tensors = tensors;
  }

  /**
   * @param path of the file; of a model that is split into several, any of them
   * @throws ModelImportError when a file is missing, cut off, no GGUF, or has tensors of types that are not supported
   */
  static async open(path: string): Promise<GgufFile> {
    const parts: Part[] = [];
    try {
      const named = await openPart(path);
      parts.push(named);
      const split = splitOf(path, named.header.metadata);
      if (split === null) return new GgufFile([named]);
      const others: (Part | null)[] = [];
      for (const [number, partPath] of pathsOfParts(split).entries()) {
        if (number === split.number) others.push(named);
        else {
          const part = await openPart(partPath);
          parts.push(part);
          others.push(part);
        }
      }
      const [first, ...rest] = others.filter((part) => part !== null);
      return new GgufFile([first ?? named, ...rest]);
    } catch (error) {
      await Promise.all(parts.map(({ file }) => file.close()));
      throw error;
    }
  }

  /** The bytes of some rows, as the file has them. */
  async rows(tensor: GgufTensor, first: number, count: number): Promise<Uint8Array> {
    const part = this.#parts[tensor.part];
    if (part === undefined) throw new TypeError(`tensor ${tensor.name} is of no part of ${this.path}`);
    const bytes = Buffer.allocUnsafe(count * tensor.rowBytes);
    let filled = 0;
    while (filled < bytes.length) {
      const position = tensor.start + first * tensor.rowBytes + filled;
      const { bytesRead } = await part.file.read(bytes, filled, bytes.length - filled, position);
      if (bytesRead === 0) throw new ModelImportError(part.path, `it ends inside tensor ${tensor.name}`, COPY_AGAIN);
      filled += bytesRead;
    }
    return bytes;
  }

  /** A whole small tensor in float32. */
  async floats(tensor: GgufTensor): Promise<Float32Array> {
    return dequantize(tensor.type, await this.rows(tensor, 0, tensor.rows));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#parts.map(({ file }) => file.close()));
  }
}

function tensorIn(
  { path, fileBytes, header }: Part,
  { name, dimensions, typeNumber, offset }: GgufTensorInfo,
): Omit<GgufTensor, 'part'> {
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
  if (rows === 0 || columns === 0)
    throw new ModelImportError(path, `tensor ${name} is empty, [${dimensions.join(', ')}]`, COPY_AGAIN);
  if (!Number.isInteger(rowBytes))
    throw new ModelImportError(path, `tensor ${name} has rows of ${columns} weights in ${type.name}`, COPY_AGAIN);
  if (start + rows * rowBytes > fileBytes)
    throw new ModelImportError(
      path,
      `it is cut off: tensor ${name} ends at byte ${start + rows * rowBytes}, the file at ${fileBytes}`,
      COPY_AGAIN,
    );
  return { name, type, rows, columns, rowBytes, start };
}

async function openPart(path: string): Promise<Part> {
  const file = await open(path).catch((cause: Error) => {
    throw new ModelImportError(path, cause.message, 'give the path of a .gguf file that can be read', { cause });
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile())
      throw new ModelImportError(path, 'it is no file', 'give the path of a .gguf file, not of its folder');
    return { path, file, fileBytes: stats.size, header: await readHeader(path, file, stats.size) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The header's length is not written anywhere: more is read until it is whole. */
async function readHeader(path: string, file: FileHandle, fileBytes: number): Promise<GgufHeader> {
  const most = Math.min(fileBytes, MOST_HEADER_BYTES);
  for (let length = FIRST_READ_BYTES; ; length *= 2) {
    const bytes = Buffer.alloc(Math.min(length, most));
    await file.read(bytes, 0, bytes.length, 0);
    try {
      return parseGgufHeader(path, bytes, fileBytes);
    } catch (cause) {
      if (cause instanceof RangeError && bytes.length < most) continue;
      if (cause instanceof ModelImportError) throw cause;
      const long = most < fileBytes;
      const ended = long ? `its header is longer than ${most} bytes` : 'it is cut off inside its header';
      const problem = cause instanceof RangeError ? ended : (cause as Error).message;
      throw new ModelImportError(path, problem, COPY_AGAIN, { cause });
    }
  }
}
