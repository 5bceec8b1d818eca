const REFRESH_MS = 100;

/** One line on stderr that is written over; nothing where stderr is no terminal. */
export class Progress {
  #shownAt = 0;

  show(text: string): void {
    if (!process.stderr.isTTY || Date.now() - this.#shownAt < REFRESH_MS) return;
    this.#shownAt = Date.now();
    process.stderr.write(`\r\x1b[K${text}`);
  }

  end(): void {
    if (process.stderr.isTTY && this.#shownAt > 0) process.stderr.write('\r\x1b[K');
  }
}
