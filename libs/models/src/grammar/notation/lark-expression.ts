import { characterSet } from '../regular/character-set.ts';
import { withBothCases } from '../regular/folded-case.ts';
import { PatternError } from '../regular/pattern-error.ts';
import type { Languages } from '../regular/regular-language.ts';
import { escapedCharacter } from './character-escape.ts';
import { type GrammarPart, inSequence, oneOf } from './grammar-part.ts';
import type { GrammarSource } from './grammar-source.ts';
import { larkPattern } from './lark-pattern.ts';
import { repeated, takeRepeat } from './repeat-bounds.ts';

/** Space, and comments of both kinds. */
export const LARK_SPACE = /(?:\s|#[^\n]*|\/\/[^\n]*)+/y;
export const LARK_NAME = /[A-Za-z_](?:\w|-(?!>))*/y;
/** A rule or terminal that is defined: prefixes, name, priority; what else stands before its colon is in a group of its own. */
export const LARK_DEFINITION =
  /([?!]{0,2})([A-Za-z_](?:\w|-(?!>))*)(?:\s*\.\s*-?\d+)?[ \t]*(\{[^}\n]*\}|\[[^\]\n]*\])?\s*:(?!:)/y;
const PATTERN = /\/((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+)\/([a-z]*)/y;
const TIMES = /~\s*(\d+)(?:\s*\.\.\s*(\d+))?/y;
const ALIAS = /->\s*(?:\w|-)+/y;
const ITSELF = '"\'\\/';
const MOST_NESTED = 64;

const NO_ITEMS: readonly (readonly [start: RegExp, problem: string])[] = [
  [/<[^>\n]*>/y, 'tokens by name or number are not supported. Write the text that is wanted, in double quotes.'],
  [/@/y, 'other grammars are not referred to. Write their rules here.'],
  [/%json/y, 'JSON schemas inside a grammar are not supported. Send the schema as "response_format", or write rules.'],
  [/%\w+/y, 'no directive stands inside of a rule. Write it on a line of its own.'],
  [/[&~]/y, 'terminals are not intersected or negated. Write a class such as [^…].'],
];

/** Reads what stands behind the colon of a rule or terminal, and what is ignored. Names are told apart by who reads on. */
export class LarkExpressions {
  readonly #languages: Languages;
  readonly #source: GrammarSource;
  #nested = 0;

  constructor(languages: Languages, source: GrammarSource) {
    this.#languages = languages;
    this.#source = source;
  }

  /** @throws GrammarRefusedError */
  alternatives(): GrammarPart {
    const parts = [this.#sequence()];
    while (this.#source.take('|')) parts.push(this.#sequence());
    return oneOf(parts);
  }

  #sequence(): GrammarPart {
    const items: GrammarPart[] = [];
    while (!this.#ends()) items.push(this.#item());
    // What an alternative is called changes a tree that nobody makes.
    if (this.#source.takeMatch(ALIAS) !== null && !this.#ends()) throw this.#unexpected();
    return inSequence(items);
  }

  /** Whether the next is no item: an alternative, a closing, or another definition. */
  #ends(): boolean {
    const source = this.#source;
    const space = source.takeMatch(LARK_SPACE);
    if (source.isDone || source.startsWith('->') || '|)]'.includes(source.peek())) return true;
    return space?.[0].includes('\n') === true && (source.startsWith('%') || source.matches(LARK_DEFINITION) !== null);
  }

  #item(): GrammarPart {
    let part = this.#atom();
    for (;;) {
      const repeat = this.#repeat(part);
      if (repeat === null) return part;
      part = repeat;
    }
  }

  #repeat(part: GrammarPart): GrammarPart | null {
    const source = this.#source;
    // A ? that begins a line begins a rule there.
    source.takeMatch(/[ \t]+/y);
    const [, least, most] = source.takeMatch(TIMES) ?? [];
    if (least === undefined) return takeRepeat(source, part);
    return repeated(source, part, Number(least), Number(most ?? least));
  }

  #atom(): GrammarPart {
    const source = this.#source;
    const { line } = source;
    const next = source.peek();
    if (next === '(' || next === '[') return this.#group(next);
    if (next === '"' || next === "'") return this.#textOrRange(next);
    if (next === '/') return this.#pattern();
    for (const [start, problem] of NO_ITEMS) {
      if (source.matches(start)) throw source.unsupported(`${source.told}: ${problem}`);
    }
    const name = source.takeMatch(LARK_NAME);
    if (name === null) throw this.#unexpected();
    if (source.matches(/\{[^\d,}\s]/y))
      throw source.unsupported(
        `"${name[0]}" is used as a template, which is not supported. Write a rule for each use.`,
      );
    return { kind: 'rule', name: name[0], line };
  }

  #group(opens: string): GrammarPart {
    const source = this.#source;
    const { line } = source;
    const closes = opens === '(' ? ')' : ']';
    this.#nested += 1;
    if (this.#nested > MOST_NESTED)
      throw source.unsupported(`groups are nested deeper than ${MOST_NESTED}. Make rules of the inner ones.`);
    source.take(opens);
    const part = this.alternatives();
    if (!source.take(closes))
      throw source.refusal(
        `the group that opens here is followed by ${source.told}, and not closed. Write "${closes}".`,
        line,
      );
    this.#nested -= 1;
    return opens === '(' ? part : { kind: 'repeat', part, least: 0, most: 1 };
  }

  #textOrRange(quote: string): GrammarPart {
    const source = this.#source;
    const { line } = source;
    const text = this.#text(quote);
    if (source.takeMatch(/\s*\.\.\s*(?=["'])/y) !== null) return this.#range(text, this.#text(source.peek()), line);
    if (source.takeMatch(/i\b/y) === null) return { kind: 'text', text };
    const characters = Array.from(text, (character) => character.codePointAt(0) ?? 0);
    const sets = characters.map((codePoint) => this.#languages.set(withBothCases([codePoint, codePoint])));
    return { kind: 'language', language: this.#languages.concat(...sets), line };
  }

  #range(first: string, last: string, line: number): GrammarPart {
    const [from, to] = [first.codePointAt(0) ?? 0, last.codePointAt(0) ?? 0];
    const isRange = [first, last].every((end) => [...end].length === 1) && from <= to;
    if (!isRange)
      throw this.#source.refusal(
        `there is no range from ${JSON.stringify(first)} to ${JSON.stringify(last)}. Write one character on each side, the lower one first.`,
        line,
      );
    return { kind: 'language', language: this.#languages.set(characterSet([[from, to]])), line };
  }

  #text(quote: string): string {
    const source = this.#source;
    const { line } = source;
    let text = '';
    source.take(quote);
    while (!source.take(quote)) {
      if (source.isDone)
        throw source.refusal(`the text that opens here is not closed. Write ${quote} behind it.`, line);
      text += source.take('\\') ? escapedCharacter(source, ITSELF) : source.next();
    }
    return text;
  }

  #pattern(): GrammarPart {
    const source = this.#source;
    const { line } = source;
    const match = source.takeMatch(PATTERN);
    if (match === null)
      throw source.refusal(
        'the regular expression that opens here is not closed on its line. Write / behind it, and \\/ for a / in it.',
      );
    try {
      const language = larkPattern(this.#languages, match[1], match[2]);
      if (language === this.#languages.nothing) throw new PatternError('matches no text');
      return { kind: 'language', language, line };
    } catch (error) {
      if (error instanceof PatternError)
        throw source.unsupported(`${match[0]} ${error.message}. Write it without.`, line);
      throw error;
    }
  }

  #unexpected() {
    const source = this.#source;
    return source.refusal(
      `${source.told} stands where nothing like it may. A rule is written so: name: "text" /[a-z]+/ other_rule | …`,
    );
  }
}
