import { unescapeString } from './string-escapes.ts';
import type { TemplateToken, TokenKind } from './template-token.ts';

/** What begins a tag, with the sign that controls the white space before it; `raw` has its end in the same match. */
const TAG = /\{%([-+]?)\s*raw\s*(-%\}\s*|%\})|(\{%|\{\{|\{#)([-+]?)/g;
const RAW_END = /\{%([-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)/g;
const COMMENT_END = /\+#\}|-#\}\s*|#\}\n?/g;
const BLOCK_END = /(?:\+%\}|-%\}\s*|%\}\n?)/y;
const PRINT_END = /(?:-\}\}\s*|\}\})/y;
const SPACE = /\s+/y;

/** In this order, as the beginning of a float is an integer. */
const PARTS: readonly (readonly [TokenKind, RegExp])[] = [
  ['float', /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy],
  ['integer', /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy],
  ['name', /[\p{ID_Start}_]\p{ID_Continue}*/uy],
  ['string', /'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"/sy],
  ['operator', /\/\/|\*\*|[=!<>]=|[-+/*%~[\](){}<>=.:|,]/y],
];
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/**
 * Takes a template apart by the rules of Jinja 3's lexer, with the white space settings that Hugging Face uses for chat
 * templates: `trim_blocks` (the line break behind a block or comment is none of the text) and `lstrip_blocks` (nor is the
 * space between the beginning of a line and a block or comment); `-` takes all space, `+` leaves what the settings would take.
 * @throws SyntaxError
 */
export function tokenize(template: string): TemplateToken[] {
  return new TemplateLexer(template.replace(/\r\n?/g, '\n').replace(/\n$/, '')).tokens();
}

class TemplateLexer {
  readonly #source: string;
  readonly #tokens: TemplateToken[] = [];
  #position = 0;

  constructor(source: string) {
    this.#source = source;
  }

  tokens(): TemplateToken[] {
    while (this.#position < this.#source.length) {
      const tag = find(TAG, this.#source, this.#position);
      if (tag === null) {
        this.#add('text', this.#source.slice(this.#position));
        break;
      }
      const [, rawSign, rawEnd, begin, sign] = tag;
      this.#text(tag.index, rawSign ?? sign ?? '', begin !== '{{');
      this.#position = tag.index + tag[0].length;
      if (rawEnd !== undefined) this.#raw();
      else if (begin === '{#') this.#comment();
      else if (begin === '{%') this.#inside('blockBegin', 'blockEnd', BLOCK_END);
      else this.#inside('printBegin', 'printEnd', PRINT_END);
    }
    return this.#tokens;
  }

  /** The text up to a tag, without the space that the tag's sign or the settings take. */
  #text(end: number, sign: string, isBlock: boolean): void {
    const text = this.#source.slice(this.#position, end);
    if (sign === '-') {
      this.#add('text', text.trimEnd());
      return;
    }
    const line = text.lastIndexOf('\n') + 1;
    const startsLine = line > 0 || this.#position === 0 || this.#source[this.#position - 1] === '\n';
    const takesSpace = isBlock && sign === '' && startsLine && /^\s*$/.test(text.slice(line));
    this.#add('text', takesSpace ? text.slice(0, line) : text);
  }

  #raw(): void {
    const end = find(RAW_END, this.#source, this.#position);
    if (end === null) throw new SyntaxError('Missing end of raw directive');
    this.#text(end.index, end[1] ?? '', true);
    this.#position = end.index + end[0].length;
  }

  #comment(): void {
    const end = find(COMMENT_END, this.#source, this.#position);
    if (end === null) throw new SyntaxError('Missing end of comment tag');
    this.#position = end.index + end[0].length;
  }

  /** What stands inside of a tag, up to its end; what looks like an end inside of brackets is none. */
  #inside(beginning: TokenKind, ending: TokenKind, end: RegExp): void {
    this.#tokens.push({ kind: beginning, value: '' });
    const open: string[] = [];
    while (this.#position < this.#source.length) {
      if (open.length === 0 && this.#match(end) !== null) {
        this.#tokens.push({ kind: ending, value: '' });
        return;
      }
      if (this.#match(SPACE) === null) this.#part(open);
    }
    throw new SyntaxError('the template ends inside of a tag');
  }

  #part(open: string[]): void {
    for (const [kind, pattern] of PARTS) {
      const value = this.#match(pattern);
      if (value === null) continue;
      if (kind === 'operator') balance(open, value);
      this.#tokens.push({ kind, value: kind === 'string' ? unescapeString(value.slice(1, -1)) : value });
      return;
    }
    throw new SyntaxError(`unexpected character '${this.#source[this.#position]}' at ${this.#position}`);
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.#source);
    if (match === null) return null;
    this.#position += match[0].length;
    return match[0];
  }

  #add(kind: TokenKind, value: string): void {
    if (value !== '') this.#tokens.push({ kind, value });
  }
}

function balance(open: string[], operator: string): void {
  const closing = CLOSING[operator];
  if (closing !== undefined) open.push(closing);
  else if (')]}'.includes(operator) && open.pop() !== operator) throw new SyntaxError(`unexpected '${operator}'`);
}

function find(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  pattern.lastIndex = from;
  return pattern.exec(text);
}
