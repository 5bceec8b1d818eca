import { isJson } from './readers/json-reader.ts';

/** How the arguments begin where they are what was asked for. */
const HEAD = /^\s*\{\s*"input"\s*:\s*"/;
/** Arguments that have not begun so by then begin otherwise. */
const LONGEST_HEAD = 64;

/**
 * Takes the text that a custom tool is called with out of the call's arguments, `{"input": "…"}`, while they arrive. Arguments of
 * another form, as a model may write them that nothing holds, are waited for: then the text is that of a member `input` anywhere in
 * them, and without one they are the text themselves.
 */
export class CustomInput {
  #place: 'head' | 'text' | 'behind' | 'elsewhere' = 'head';
  /** What arrived and was not told. */
  #waiting = '';

  /** @returns what can be told of the text after this piece of the arguments; pieces may be cut anywhere */
  push(piece: string): string {
    if (this.#place === 'behind') return '';
    this.#waiting += piece;
    if (this.#place === 'head') this.#findHead();
    return this.#place === 'text' ? this.#unescaped() : '';
  }

  /** The arguments are whole: the rest of the text. */
  end(): string {
    if (this.#place === 'behind') return '';
    return inputOf(this.#waiting) ?? this.#waiting;
  }

  #findHead(): void {
    const [head] = HEAD.exec(this.#waiting) ?? [];
    if (head !== undefined) {
      this.#place = 'text';
      this.#waiting = this.#waiting.slice(head.length);
    } else if (this.#waiting.length > LONGEST_HEAD) this.#place = 'elsewhere';
  }

  /** The characters that waited, up to the end of the string or an escape that is not whole. */
  #unescaped(): string {
    const written = this.#waiting;
    let text = '';
    let next = 0;
    while (next < written.length) {
      if (written[next] === '"') {
        this.#place = 'behind';
        this.#waiting = '';
        return text;
      }
      const length = written[next] === '\\' ? (written[next + 1] === 'u' ? 6 : 2) : 1;
      if (next + length > written.length) break;
      const unit = written.slice(next, next + length);
      text += length === 1 ? unit : (JSON.parse(`"${unit}"`) as string);
      next += length;
    }
    // Half of a pair waits for the other: escapes have one each.
    const isHalf = /[\ud800-\udbff]$/.test(text);
    this.#waiting = (isHalf ? text.slice(-1) : '') + written.slice(next);
    return isHalf ? text.slice(0, -1) : text;
  }
}

/** Null where there is no string of this name. */
function inputOf(argumentsText: string): string | null {
  if (!isJson(argumentsText)) return null;
  const given = JSON.parse(argumentsText) as { readonly input?: unknown };
  return typeof given.input === 'string' ? given.input : null;
}
