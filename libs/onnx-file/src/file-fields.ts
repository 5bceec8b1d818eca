import { type FileHandle, open } from 'node:fs/promises';
import { type ProtoField, protoFieldAt } from './proto-fields.ts';

const WINDOW_BYTES = 16 * 1024;
/** Of a field's tag and length, or of a number. */
const HEAD_BYTES = 20;

/** Where a field's value is in the file. */
type ValuePlace = Pick<ProtoField, 'valueStart' | 'end'>;

/** An encoded message in a file, of which only what is asked for is read: passing over weights costs nothing. */
export class FileFields implements AsyncDisposable {
  readonly #file: FileHandle;
  /** The message that the file is. */
  readonly whole: ValuePlace;
  #window: Uint8Array = new Uint8Array();
  #windowStart = 0;

  private constructor(file: FileHandle, bytes: number) {
    this.#file = file;
    this.whole = { valueStart: 0, end: bytes };
  }

  static async open(path: string): Promise<FileFields> {
    const file = await open(path);
    return new FileFields(file, (await file.stat()).size);
  }

  /** The fields of a message in the file, by default the one that it is. @throws RangeError where there is none, or it ends too early */
  async *fields({ valueStart: from, end: to }: ValuePlace = this.whole): AsyncGenerator<ProtoField> {
    for (let start = from; start < to; ) {
      const head = protoFieldAt(await this.read(start, Math.min(start + HEAD_BYTES, to)), 0);
      const field = { ...head, start, valueStart: start + head.valueStart, end: start + head.end };
      if (field.end > to) throw new RangeError(`a field that ends at byte ${field.end} of ${to}`);
      yield field;
      start = field.end;
    }
  }

  /** Those fields with this number that are messages, strings or bytes. @throws RangeError as `fields` does */
  async *numbered(number: number, message?: ValuePlace): AsyncGenerator<ProtoField> {
    for await (const field of this.fields(message)) if (field.number === number && field.hasLength) yield field;
  }

  async text({ valueStart, end }: ValuePlace): Promise<string> {
    return Buffer.from(await this.read(valueStart, end)).toString('utf8');
  }

  /** The bytes [from, to) of the file. @throws RangeError where it has become shorter */
  async read(from: number, to: number): Promise<Uint8Array> {
    if (from < this.#windowStart || to > this.#windowStart + this.#window.length) {
      // A new one each time: who was given a part of the old one keeps it.
      const window = new Uint8Array(Math.max(to - from, Math.min(WINDOW_BYTES, this.whole.end - from)));
      for (let done = 0; done < window.length; ) {
        const { bytesRead } = await this.#file.read(window, done, window.length - done, from + done);
        if (bytesRead === 0) throw new RangeError(`the file ends at byte ${from + done}`);
        done += bytesRead;
      }
      this.#window = window;
      this.#windowStart = from;
    }
    return this.#window.subarray(from - this.#windowStart, to - this.#windowStart);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
