import { Writable } from 'node:stream';

/** What is used of a terminal. */
export interface Screen {
  readonly columns: number;
  write(text: string | Buffer): boolean;
  on(event: 'resize', listener: () => void): unknown;
}

/** A terminal to which what is typed is echoed only while it is to be shown. */
export class PromptScreen extends Writable {
  readonly isTTY = true;
  shown = false;
  readonly #terminal: Screen;

  constructor(terminal: Screen) {
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
