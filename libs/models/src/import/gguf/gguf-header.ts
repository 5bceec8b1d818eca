import { ModelImportError } from '../model-import-error.ts';

export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

export interface GgufTensorInfo {
  readonly name: string;
  /** Innermost first, as the file has them: [columns, rows] of a matrix. */
  readonly dimensions: readonly number[];
  readonly typeNumber: number;
  /** From the start of the tensors' data. */
  readonly offset: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensorInfo[];
  /** Where the tensors' data begins in the file. */
  readonly dataStart: number;
}

const MAGIC = 0x46554747; // "GGUF"
const DEFAULT_ALIGNMENT = 32;
/** Bytes of the shortest metadata entry (a length, a type, a byte) and of the shortest description of a tensor. */
const LEAST_ENTRY_BYTES = 13;
const LEAST_TENSOR_BYTES = 24;
const LEAST_BYTES_OF_TYPE = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8];
/** ggml's tensors have four dimensions. */
const MOST_DIMENSIONS = 4;
/** Of lists in lists. */
const MOST_DEPTH = 8;
const UTF8 = new TextDecoder();

/**
 * Reads the part of a GGUF before the weights: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 * @param bytes the file's first ones
 * @param fileBytes of the whole file: what would need more than are left of it is refused at once
 * @throws RangeError when `bytes` end inside the header; ModelImportError when they are no GGUF that is supported;
 * TypeError naming a field that makes no sense
 */
export function parseGgufHeader(file: string, bytes: Uint8Array, fileBytes: number): GgufHeader {
  const cursor = new Cursor(bytes, fileBytes);
  if (cursor.u32() !== MAGIC)
    throw new ModelImportError(file, 'it does not begin with "GGUF"', 'give the path of a .gguf file');
  const version = cursor.u32();
  if (version !== 2 && version !== 3)
    throw new ModelImportError(
      file,
      version > 0xffff ? 'it is big-endian' : `its GGUF version is ${version}, supported are 2 and 3`,
      'convert the model again with a current llama.cpp, for little-endian machines',
    );
  const tensorCount = cursor.count('the number of tensors', LEAST_TENSOR_BYTES);
  const metadataCount = cursor.count('the number of metadata fields', LEAST_ENTRY_BYTES);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < metadataCount; i++) {
    const name = cursor.text(`the name of metadata field ${i + 1}`);
    metadata.set(name, cursor.value(`metadata field ${name}`, cursor.u32()));
  }
  const tensors: GgufTensorInfo[] = [];
  for (let i = 0; i < tensorCount; i++) {
    const name = cursor.text(`the name of tensor ${i + 1}`);
    const rank = cursor.u32();
    if (rank > MOST_DIMENSIONS) throw new TypeError(`tensor ${name} has ${rank} dimensions`);
    const dimensions = Array.from({ length: rank }, () => cursor.size(`a dimension of tensor ${name}`));
    tensors.push({ name, dimensions, typeNumber: cursor.u32(), offset: cursor.size(`the offset of tensor ${name}`) });
  }
  const alignment = alignmentOf(metadata.get('general.alignment'));
  return { version, metadata, tensors, dataStart: Math.ceil(cursor.position / alignment) * alignment };
}

function alignmentOf(value: GgufValue = DEFAULT_ALIGNMENT): number {
  const alignment = typeof value === 'number' || typeof value === 'bigint' ? Number(value) : Number.NaN;
  if (Number.isInteger(alignment) && alignment > 0) return alignment;
  throw new TypeError(`metadata field general.alignment is ${value}, it must be a whole number above 0`);
}

/** Reads little-endian values one after another; `RangeError` at the end of the bytes. */
class Cursor {
  position = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fileBytes: number;

  constructor(bytes: Uint8Array, fileBytes: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#fileBytes = fileBytes;
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** A 64-bit number of things that follow, each of at least `leastBytes`: they must fit into the file. */
  count(what: string, leastBytes: number): number {
    const value = this.size(what);
    if (value * leastBytes > this.#fileBytes - this.position)
      throw new TypeError(
        `${what} is ${value}: it is cut off or damaged, ${this.#fileBytes} bytes are too few for that`,
      );
    return value;
  }

  /** A 64-bit number that can be reckoned with. */
  size(what: string): number {
    const value = this.#view.getBigUint64(this.#advance(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new TypeError(`${what} is ${value}, which cannot be`);
    return Number(value);
  }

  text(what: string): string {
    const length = this.count(`the length of ${what}`, 1);
    const start = this.#advance(length);
    return UTF8.decode(this.#bytes.subarray(start, start + length));
  }

  value(what: string, type: number, depth = 0): GgufValue {
    const view = this.#view;
    switch (type) {
      case 0:
        return view.getUint8(this.#advance(1));
      case 1:
        return view.getInt8(this.#advance(1));
      case 2:
        return view.getUint16(this.#advance(2), true);
      case 3:
        return view.getInt16(this.#advance(2), true);
      case 4:
        return this.u32();
      case 5:
        return view.getInt32(this.#advance(4), true);
      case 6:
        return view.getFloat32(this.#advance(4), true);
      case 7:
        return view.getUint8(this.#advance(1)) !== 0;
      case 8:
        return this.text(what);
      case 9:
        return this.#list(what, depth + 1);
      case 10:
        return view.getBigUint64(this.#advance(8), true);
      case 11:
        return view.getBigInt64(this.#advance(8), true);
      case 12:
        return view.getFloat64(this.#advance(8), true);
      default:
        throw new TypeError(`${what} has the unknown type ${type}`);
    }
  }

  #list(what: string, depth: number): GgufValue[] {
    if (depth > MOST_DEPTH) throw new TypeError(`${what} has lists in lists, ${depth} deep`);
    const elementType = this.u32();
    const length = this.count(`the length of ${what}`, LEAST_BYTES_OF_TYPE[elementType] ?? 1);
    const values: GgufValue[] = [];
    for (let i = 0; i < length; i++) values.push(this.value(what, elementType, depth));
    return values;
  }

  #advance(bytes: number): number {
    const start = this.position;
    if (start + bytes > this.#bytes.length) throw new RangeError(`the bytes end at ${this.#bytes.length}`);
    this.position = start + bytes;
    return start;
  }
}
