import { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';

/** A terminal to which what is typed is echoed only while it is to be shown. */
export class PromptScreen extends Writable {
  readonly isTTY = true;
  shown = false;
  readonly #terminal: WriteStream;

  constructor(terminal: WriteStream) {
    super({ decodeStrings: false });
    this.#terminal = terminal;
    terminal.on('resize', () => this.emit('resize'));
  }

  /** How wide it is, for lines that are longer. */
  get columns(): number {
    return this.#terminal.columns;
  }

  override _write(text: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.shown) this.#terminal.write(text);
    done();
  }
}
