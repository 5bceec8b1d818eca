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
const MOST_ELEMENTS = 1 << 28;
const UTF8 = new TextDecoder();

/**
 * Reads the part of a GGUF before the weights: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 * @throws RangeError when `bytes` end inside the header; ModelImportError when they are no GGUF that is supported
 */
export function parseGgufHeader(file: string, bytes: Uint8Array): GgufHeader {
  const cursor = new Cursor(bytes);
  if (cursor.u32() !== MAGIC)
    throw new ModelImportError(file, 'it does not begin with "GGUF"', 'give the path of a .gguf file');
  const version = cursor.u32();
  if (version !== 2 && version !== 3)
    throw new ModelImportError(
      file,
      version > 0xffff ? 'it is big-endian' : `its GGUF version is ${version}, supported are 2 and 3`,
      'convert the model again with a current llama.cpp, for little-endian machines',
    );
  const tensorCount = cursor.count();
  const metadataCount = cursor.count();
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < metadataCount; i++) metadata.set(cursor.text(), cursor.value(cursor.u32()));
  const tensors: GgufTensorInfo[] = [];
  for (let i = 0; i < tensorCount; i++) {
    const name = cursor.text();
    const dimensions = Array.from({ length: cursor.u32() }, () => cursor.count(Number.MAX_SAFE_INTEGER));
    tensors.push({ name, dimensions, typeNumber: cursor.u32(), offset: cursor.count(Number.MAX_SAFE_INTEGER) });
  }
  const alignment = Number(metadata.get('general.alignment') ?? 32);
  return { version, metadata, tensors, dataStart: Math.ceil(cursor.position / alignment) * alignment };
}

/** Reads little-endian values one after another; `RangeError` at the end of the bytes. */
class Cursor {
  position = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** A 64-bit number of things, which must be one that can be. */
  count(most = MOST_ELEMENTS): number {
    const value = this.#view.getBigUint64(this.#advance(8), true);
    if (value > BigInt(most)) throw new TypeError(`a count of ${value} at byte ${this.position - 8}`);
    return Number(value);
  }

  text(): string {
    const length = this.count();
    const start = this.#advance(length);
    return UTF8.decode(this.#bytes.subarray(start, start + length));
  }

  value(type: number): GgufValue {
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
        return this.text();
      case 9: {
        const elementType = this.u32();
        const length = this.count();
        const values: GgufValue[] = [];
        for (let i = 0; i < length; i++) values.push(this.value(elementType));
        return values;
      }
      case 10:
        return view.getBigUint64(this.#advance(8), true);
      case 11:
        return view.getBigInt64(this.#advance(8), true);
      case 12:
        return view.getFloat64(this.#advance(8), true);
      default:
        throw new TypeError(`metadata of the unknown type ${type} at byte ${this.position}`);
    }
  }

  #advance(bytes: number): number {
    const start = this.position;
    if (start + bytes > this.#bytes.length) throw new RangeError(`the bytes end at ${this.#bytes.length}`);
    this.position = start + bytes;
    return start;
  }
}
