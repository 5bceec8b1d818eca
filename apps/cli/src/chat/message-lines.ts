const QUOTES = '"""';
/** What begins a text of several lines: quotes, at the start or behind a command such as `/system`. */
const OPENING = /^(?:(\/[a-z]+\s+)|\s*)"""/i;

/**
 * Makes messages of typed lines. A message has one line, unless that ends with a backslash, or it stands between `"""`,
 * which are then no part of it.
 */
export class MessageLines {
  #lines: string[] = [];
  #quoted = false;

  /** Whether a message has begun and not ended. */
  get open(): boolean {
    return this.#lines.length > 0;
  }

  drop(): void {
    this.#lines = [];
    this.#quoted = false;
  }

  /** @returns the message that the line ends; null when it goes on */
  add(line: string): string | null {
    if (!this.open && OPENING.test(line)) {
      this.#quoted = true;
      return this.#addQuoted(line.replace(OPENING, '$1'));
    }
    if (this.#quoted) return this.#addQuoted(line);
    if (line.endsWith('\\')) {
      this.#lines.push(line.slice(0, -1));
      return null;
    }
    return this.#end(line);
  }

  #addQuoted(line: string): string | null {
    const text = line.trimEnd();
    if (text.endsWith(QUOTES)) return this.#end(text.slice(0, -QUOTES.length));
    this.#lines.push(line);
    return null;
  }

  #end(line: string): string {
    const text = [...this.#lines, line].join('\n');
    // Quotes may stand in lines of their own.
    const message = this.#quoted ? text.replace(/^(\/[a-z]+\s+)?\n|\n$/gi, '$1') : text;
    this.drop();
    return message;
  }
}
