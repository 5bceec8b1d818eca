import { GrammarRefusedError } from './grammar-refused-error.ts';

/** So much of what stands at a place is told in a refusal. */
const TOLD_CHARACTERS = 24;

/** The text of a grammar, and how far it was read. */
export class GrammarSource {
  readonly text: string;
  #next = 0;
  /** The line of a place that was asked for, to count on from there. */
  #known = { at: 0, line: 1 };

  constructor(text: string) {
    this.text = text;
  }

  get isDone(): boolean {
    return this.#next >= this.text.length;
  }

  get place(): number {
    return this.#next;
  }

  /** The line that is read, from 1. */
  get line(): number {
    let { at, line } = this.#known.at <= this.#next ? this.#known : { at: 0, line: 1 };
    for (; at < this.#next; at++) if (this.text[at] === '\n') line += 1;
    this.#known = { at, line };
    return line;
  }

  /** Nothing but space stands before it in its line. */
  get isFirstInLine(): boolean {
    return this.text.slice(this.text.lastIndexOf('\n', this.#next - 1) + 1, this.#next).trim() === '';
  }

  /** The next character as a whole, empty at the end. */
  peek(): string {
    const codePoint = this.text.codePointAt(this.#next);
    return codePoint === undefined ? '' : String.fromCodePoint(codePoint);
  }

  /** The next character, which is passed; empty at the end. */
  next(): string {
    const character = this.peek();
    this.#next += character.length;
    return character;
  }

  startsWith(text: string): boolean {
    return this.text.startsWith(text, this.#next);
  }

  take(text: string): boolean {
    if (!this.startsWith(text)) return false;
    this.#next += text.length;
    return true;
  }

  /** @param pattern with the flag `y` */
  matches(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#next;
    return pattern.exec(this.text);
  }

  /** What matches, which is passed. @param pattern with the flag `y` */
  takeMatch(pattern: RegExp): RegExpExecArray | null {
    const match = this.matches(pattern);
    if (match !== null) this.#next += match[0].length;
    return match;
  }

  /** A refusal that names the line. */
  refusal(problem: string, line = this.line): GrammarRefusedError {
    return new GrammarRefusedError('invalid_request', line, problem);
  }

  /** A refusal of what is right in the notation, and not enforced. */
  unsupported(problem: string, line = this.line): GrammarRefusedError {
    return new GrammarRefusedError('unsupported_parameter', line, problem);
  }

  /** What stands here, as a refusal tells it. */
  get told(): string {
    if (this.isDone) return 'the end';
    const [line = ''] = this.text.slice(this.#next, this.#next + TOLD_CHARACTERS).split('\n');
    return line === '' ? 'the end of the line' : JSON.stringify(line);
  }
}
