import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { externalPlace } from '../signature/external-data.ts';
import type { Initializer } from './constant-source.ts';

/** Reads initializers of one model, wherever their bytes are. */
export class TensorReader implements AsyncDisposable {
  readonly #folder: string;
  readonly #files = new Map<string, Promise<FileHandle>>();

  constructor(modelFile: string) {
    this.#folder = dirname(modelFile);
  }

  /** A copy of the bytes `from` to `to` of a tensor. */
  async bytes(tensor: Initializer, from: number, to: number): Promise<Uint8Array> {
    const place = externalPlace(tensor);
    if (place === null) return new Uint8Array((tensor.rawData ?? new Uint8Array()).subarray(from, to));
    const { location, offset } = place;
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
