import type { FileHandle } from 'node:fs/promises';

const WINDOW_BYTES = 1 << 16;

/** One field of a protobuf message: a number, or the place of its bytes in the file. */
export type ProtoField =
  | { readonly number: number; readonly value: number }
  | { readonly number: number; readonly start: number; readonly end: number };

/**
 * Reads protobuf fields from a file without loading it: length-delimited contents are skipped unless asked for, so the
 * weights inside a model file of gigabytes cost nothing.
 * Wire format: https://protobuf.dev/programming-guides/encoding/
 */
export class ProtoFileReader {
  readonly #file: FileHandle;
  readonly fileBytes: number;
  #window = Buffer.alloc(0);
  #windowStart = 0;

  constructor(file: FileHandle, fileBytes: number) {
    this.#file = file;
    this.fileBytes = fileBytes;
  }

  /** The fields of the message in [start, end). @throws RangeError when the bytes end inside a field or make no sense */
  async *fields(start: number, end: number): AsyncGenerator<ProtoField> {
    let position = start;
    while (position < end) {
      const tag = await this.#varint(position);
      const number = Math.floor(tag.value / 8);
      const wireType = tag.value % 8;
      position = tag.end;
      if (wireType === 0) {
        const { value, end: next } = await this.#varint(position);
        position = next;
        yield { number, value };
      } else if (wireType === 1 || wireType === 5) {
        position += wireType === 1 ? 8 : 4;
      } else if (wireType === 2) {
        const length = await this.#varint(position);
        position = length.end + length.value;
        if (position > end) {
          throw new RangeError(`a field ends at byte ${position} but its message at byte ${end}`);
        }
        yield { number, start: length.end, end: position };
      } else {
        throw new RangeError(`unknown wire type ${wireType} at byte ${position}`);
      }
    }
    if (position !== end) {
      throw new RangeError(`a field ends at byte ${position} but its message at byte ${end}`);
    }
  }

  async text(start: number, end: number): Promise<string> {
    const bytes = Buffer.alloc(end - start);
    await this.#file.read(bytes, 0, bytes.length, start);
    return bytes.toString('utf8');
  }

  async #varint(start: number): Promise<{ value: number; end: number }> {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const byte = await this.#byte(start + i);
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) {
        return { value, end: start + i + 1 };
      }
    }
    throw new RangeError(`a number at byte ${start} is longer than 10 bytes`);
  }

  async #byte(position: number): Promise<number> {
    const index = position - this.#windowStart;
    const cached = index >= 0 ? this.#window[index] : undefined;
    if (cached !== undefined) {
      return cached;
    }
    const window = Buffer.alloc(WINDOW_BYTES);
    const { bytesRead } = await this.#file.read(window, 0, WINDOW_BYTES, position);
    this.#window = window.subarray(0, bytesRead);
    this.#windowStart = position;
    const byte = this.#window[0];
    if (byte === undefined) {
      throw new RangeError(`the file ends at byte ${position}`);
    }
    return byte;
  }
}
