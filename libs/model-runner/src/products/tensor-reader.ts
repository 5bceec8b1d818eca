import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { externalPlace } from '../signature/external-data.ts';
import { FLOAT16, FLOAT32, type Initializer } from './constant-source.ts';

/** Reads initializers of one model, wherever their bytes are. */
export class TensorReader implements AsyncDisposable {
  readonly #folder: string;
  readonly #files = new Map<string, Promise<FileHandle>>();

  constructor(modelFile: string) {
    this.#folder = dirname(modelFile);
  }

  /** A copy of the bytes `from` to `to` of a tensor. @throws RangeError where it has fewer */
  async bytes(tensor: Initializer, from: number, to: number): Promise<Uint8Array> {
    const place = externalPlace(tensor);
    if (place === null) {
      const inside = bytesInside(tensor);
      if (inside.length < to) throw tooShort(tensor, inside.length, to);
      return new Uint8Array(inside.subarray(from, to));
    }
    const { location, offset, bytes: told } = place;
    if (told !== 0 && told < to) throw tooShort(tensor, told, to);
    const file = this.#files.get(location) ?? open(join(this.#folder, location));
    this.#files.set(location, file);
    const bytes = new Uint8Array(to - from);
    const { bytesRead } = await (await file).read(bytes, 0, bytes.length, offset + from);
    if (bytesRead === bytes.length) return bytes;
    throw new RangeError(`${location} ends within ${tensor.name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files.values()) await (await file).close();
  }
}

function tooShort({ name }: Initializer, has: number, needed: number): RangeError {
  return new RangeError(`${name} has ${has} bytes where its shape needs ${needed}`);
}

/** Weights inside the graph: as bytes, or as numbers of their own fields (halves as 16 bits in a whole number, as ONNX has them). */
function bytesInside({ rawData, floatData, int32Data, dataType }: Initializer): Uint8Array {
  if (rawData?.length) return rawData;
  if (dataType === FLOAT32) return new Uint8Array(Float32Array.from(floatData ?? []).buffer);
  if (dataType === FLOAT16) return new Uint8Array(Uint16Array.from(int32Data ?? []).buffer);
  return Uint8Array.from(int32Data ?? []);
}
