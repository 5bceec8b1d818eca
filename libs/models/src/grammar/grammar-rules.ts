import type { Automaton } from './regular/automaton.ts';
import { ANY_CHARACTER, type CharacterSet, complement, contains, intersection } from './regular/character-set.ts';
import { type ByteRange, utf8Ranges } from './regular/utf8-ranges.ts';

/** What a rule of a context-free grammar stands for. */
export type Expression =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bytes'; readonly ranges: readonly ByteRange[] }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[] }
  | { readonly kind: 'choice'; readonly parts: readonly Expression[] }
  | { readonly kind: 'rule'; readonly name: string };

export const text = (value: string): Expression => ({ kind: 'text', text: value });
export const sequence = (...parts: Expression[]): Expression => ({ kind: 'sequence', parts });
export const choice = (...parts: Expression[]): Expression =>
  parts.length === 1 ? parts[0] : { kind: 'choice', parts };
export const optional = (part: Expression): Expression => choice(part, text(''));
export const rule = (name: string): Expression => ({ kind: 'rule', name });

/** JSON's short escapes, by what they stand for. Other control characters are never written. */
const ESCAPES = new Map([
  [0x08, 'b'],
  [0x09, 't'],
  [0x0a, 'n'],
  [0x0c, 'f'],
  [0x0d, 'r'],
  [0x22, '"'],
  [0x5c, '\\'],
]);
const UNESCAPED: CharacterSet = complement([0, 0x1f, 0x22, 0x22, 0x5c, 0x5c]);

/** Characters that can stand in a string that is written: any but the control characters without a short escape. */
export const WRITABLE: CharacterSet = intersection(ANY_CHARACTER, complement([0, 7, 0x0b, 0x0b, 0x0e, 0x1f]));

/** Bytes to write on the way to the rule `target`; '' for the end. */
interface BytePath {
  readonly bytes: readonly ByteRange[];
  readonly target: string;
}

/** The rules of a grammar under construction, printed as xgrammar's EBNF. */
export class GrammarRules {
  readonly #rules = new Map<string, Expression>();
  /** Rules for what follows the first bytes of a character, by what that is. */
  readonly #tails = new Map<string, string>();

  get size(): number {
    return this.#rules.size;
  }

  /** Reserves a name, so that rules can refer to each other before they are defined. */
  name(): string {
    const name = `r${this.#rules.size}`;
    this.#rules.set(name, choice());
    return name;
  }

  define(name: string, expression: Expression): Expression {
    this.#rules.set(name, expression);
    return rule(name);
  }

  add(expression: Expression): Expression {
    return this.define(this.name(), expression);
  }

  /** A JSON string, from quote to quote, whose text the automaton takes. */
  addString(automaton: Automaton): Expression {
    const start = this.#addStates(automaton, [[0x22, 0x22]], (set) => [
      ...utf8Ranges(intersection(set, UNESCAPED)),
      ...[...ESCAPES].filter(([codePoint]) => contains(set, codePoint)).map(([, letter]) => bytesOf(`\\${letter}`)),
    ]);
    return sequence(text('"'), start);
  }

  /** Text that the automaton takes, as it is. */
  addPlain(automaton: Automaton): Expression {
    return this.#addStates(automaton, null, utf8Ranges);
  }

  /**
   * One right-recursive rule per state, and one per prefix of a character's bytes; no two alternatives of a rule begin
   * with the same byte. xgrammar needs both: repeated groups cost it 20 ms per mask, classes of characters beyond ASCII
   * let other bytes through, and alternatives with a common prefix are merged into more than they were ("<=" and "="
   * gave "==").
   * @param end what is written behind the text
   */
  #addStates(automaton: Automaton, end: ByteRange[] | null, spell: (set: CharacterSet) => ByteRange[][]): Expression {
    const names = automaton.map(() => this.name());
    for (const [state, { accepting, edges }] of automaton.entries()) {
      const paths = edges.flatMap(({ set, target }) => spell(set).map((bytes) => ({ bytes, target: names[target] })));
      if (accepting && end !== null) paths.push({ bytes: end, target: '' });
      const parts = this.#branch(paths);
      this.define(names[state], choice(...parts, ...(accepting && end === null ? [text('')] : [])));
    }
    return rule(names[0]);
  }

  /** Alternatives by the first byte; what follows it is a rule of its own where it is more than one target. */
  #branch(paths: readonly BytePath[]): Expression[] {
    const starts = [...new Set(paths.flatMap(({ bytes: [[first, last]] }) => [first, last + 1]))].sort((a, b) => a - b);
    const rangesByRest = new Map<string, { readonly ranges: ByteRange[]; readonly rest: readonly BytePath[] }>();
    for (const [index, first] of starts.entries()) {
      const rest = paths.filter(({ bytes }) => bytes[0][0] <= first && first <= bytes[0][1]);
      if (rest.length === 0) continue;
      const tails = rest.map(({ bytes, target }) => ({ bytes: bytes.slice(1), target }));
      const key = JSON.stringify(tails);
      const known = rangesByRest.get(key) ?? { ranges: [], rest: tails };
      known.ranges.push([first, (starts[index + 1] ?? first + 1) - 1]);
      rangesByRest.set(key, known);
    }
    return [...rangesByRest].map(([key, { ranges, rest }]) => {
      const first: Expression = { kind: 'bytes', ranges };
      const [{ bytes, target }] = rest;
      if (bytes.length === 0) return target === '' ? first : sequence(first, rule(target));
      let name = this.#tails.get(key);
      if (name === undefined) {
        name = this.name();
        this.#tails.set(key, name);
        this.define(name, choice(...this.#branch(rest)));
      }
      return sequence(first, rule(name));
    });
  }

  /** Whether some finite text fits the expression. */
  isProductive(expression: Expression): boolean {
    return canEnd(expression, this.#productive());
  }

  /** @returns the grammar with the root rule `root`; alternatives that could never end are left out */
  print(root: Expression): string {
    const productive = this.#productive();
    const lines = [...this.#rules]
      .filter(([name]) => productive.has(name))
      .map(([name, expression]) => `${name} ::= ${print(expression, productive)}`);
    return [`root ::= ${print(root, productive)}`, ...lines, ''].join('\n');
  }

  #productive(): Set<string> {
    const productive = new Set<string>();
    for (let size = -1; size !== productive.size; ) {
      size = productive.size;
      for (const [name, expression] of this.#rules) if (canEnd(expression, productive)) productive.add(name);
    }
    return productive;
  }
}

function canEnd(expression: Expression, productive: ReadonlySet<string>): boolean {
  switch (expression.kind) {
    case 'text':
      return true;
    case 'bytes':
      return expression.ranges.length > 0;
    case 'sequence':
      return expression.parts.every((part) => canEnd(part, productive));
    case 'choice':
      return expression.parts.some((part) => canEnd(part, productive));
    case 'rule':
      return productive.has(expression.name);
  }
}

function print(expression: Expression, productive: ReadonlySet<string>): string {
  switch (expression.kind) {
    case 'text':
      return printText(expression.text);
    case 'bytes':
      return printClass(expression.ranges);
    case 'sequence':
      return expression.parts
        .filter((part) => part.kind !== 'text' || part.text !== '' || expression.parts.length === 1)
        .map((part) => print(part, productive))
        .join(' ');
    case 'choice':
      return `( ${expression.parts
        .filter((part) => canEnd(part, productive))
        .map((part) => print(part, productive))
        .join(' | ')} )`;
    case 'rule':
      return expression.name;
  }
}

function printText(value: string): string {
  return `"${Array.from(value, (character) => printCharacter(character.codePointAt(0) ?? 0)).join('')}"`;
}

/** A class of one member is written twice: alone, a byte beyond ASCII is taken for the character of that number. */
function printClass(ranges: readonly ByteRange[]): string {
  const [[first, last]] = ranges;
  const printed = ranges.map(([from, to]) => `${printByte(from)}-${printByte(to)}`).join('');
  return ranges.length === 1 && first === last ? `[${printByte(first)}${printByte(first)}]` : `[${printed}]`;
}

function printByte(byte: number): string {
  return `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

function bytesOf(value: string): ByteRange[] {
  return Array.from(Buffer.from(value), (byte): ByteRange => [byte, byte]);
}

/** Letters and digits as they are, all else as an escape. */
function printCharacter(codePoint: number): string {
  const character = String.fromCodePoint(codePoint);
  if (/^[A-Za-z0-9_{}:, .]$/.test(character)) return character;
  return `\\U${codePoint.toString(16).toUpperCase().padStart(8, '0')}`;
}
