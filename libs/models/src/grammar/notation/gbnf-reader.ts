import {
  ANY_CHARACTER,
  type CharacterSet,
  characterSet,
  charactersOf,
  complement,
  union,
} from '../regular/character-set.ts';
import { CLASS_ESCAPES } from '../regular/pattern-class.ts';
import type { Languages } from '../regular/regular-language.ts';
import { escapedCharacter } from './character-escape.ts';
import { type GrammarPart, inSequence, oneOf, type WrittenGrammar, type WrittenRule } from './grammar-part.ts';
import { GrammarSource } from './grammar-source.ts';
import { takeRepeat } from './repeat-bounds.ts';

const START = 'root';
const SPACE = /(?:\s|#[^\n]*)+/y;
const NAME = /\w[\w-]*/y;
/** Where another rule begins: rules may go over several lines, and nothing else ends them. */
const DEFINITION = /\w[\w-]*\s*::=/y;
const CLASS_ESCAPE = /\\([dDsSwW])/y;
const ITSELF_IN_TEXT = '"\'\\/[]-^?';
const ITSELF_IN_CLASS = '"\'\\/[]-^$.*+?(){}|';
const MOST_NESTED = 64;

/** What begins with something else than an item, and why it is not taken. */
const NO_ITEMS: readonly (readonly [start: RegExp, problem: string])[] = [
  [/!?<\S+>/y, 'tokens by name or number are not supported. Write the text that is wanted, in double quotes.'],
  [/'/y, 'text stands in double quotes. Write "…".'],
  [/\/\//y, 'comments begin with #.'],
  [
    /\/.*\//y,
    'this notation has no regular expressions. Write classes such as [a-z]+, or the grammar in Lark’s notation ("start: …").',
  ],
  [/\w*TagDispatch\s*\(/y, 'tags are not supported. Write the texts as rules.'],
];

/**
 * Reads the notation of llama.cpp's grammars (GBNF), which xgrammar reads too: `name ::= "text" [a-z] (a | b)* c{2,3}`. Rules may go
 * over several lines wherever it is clear where the next begins.
 * @throws GrammarRefusedError
 */
export function readGbnf(languages: Languages, text: string): WrittenGrammar {
  return new GbnfReader(languages, text).whole();
}

class GbnfReader {
  readonly #languages: Languages;
  readonly #source: GrammarSource;
  #nested = 0;

  constructor(languages: Languages, text: string) {
    this.#languages = languages;
    this.#source = new GrammarSource(text);
  }

  whole(): WrittenGrammar {
    const source = this.#source;
    const rules = new Map<string, WrittenRule>();
    for (source.takeMatch(SPACE); !source.isDone; source.takeMatch(SPACE)) {
      const { line } = source;
      if (source.matches(DEFINITION) === null) throw this.#unexpected();
      const [name = ''] = source.takeMatch(NAME) ?? [];
      source.takeMatch(SPACE);
      source.take('::=');
      const known = rules.get(name);
      if (known !== undefined)
        throw source.refusal(
          `rule "${name}" stands on line ${known.line} already. Give it one definition, with | between alternatives.`,
          line,
        );
      rules.set(name, { line, part: this.#alternatives() });
    }
    return { start: START, rules };
  }

  #alternatives(): GrammarPart {
    const parts = [this.#sequence()];
    while (this.#source.take('|')) parts.push(this.#sequence());
    return oneOf(parts);
  }

  #sequence(): GrammarPart {
    const source = this.#source;
    const items: GrammarPart[] = [];
    for (;;) {
      source.takeMatch(SPACE);
      if (source.isDone || source.startsWith('|') || source.startsWith(')') || source.matches(DEFINITION)) break;
      items.push(this.#item());
    }
    return inSequence(items);
  }

  #item(): GrammarPart {
    const source = this.#source;
    let part = this.#atom();
    for (;;) {
      source.takeMatch(SPACE);
      const repeat = takeRepeat(source, part);
      if (repeat === null) return part;
      part = repeat;
    }
  }

  #atom(): GrammarPart {
    const source = this.#source;
    const { line } = source;
    if (source.startsWith('"')) return this.#text();
    if (source.startsWith('[')) return this.#set(this.#class(), line);
    if (source.startsWith('(')) return this.#group();
    if (source.take('.')) return this.#set(ANY_CHARACTER, line);
    for (const [start, problem] of NO_ITEMS) {
      if (source.matches(start)) throw source.unsupported(`${source.told}: ${problem}`);
    }
    const name = source.takeMatch(NAME);
    if (name === null) throw this.#unexpected();
    return { kind: 'rule', name: name[0], line };
  }

  #set(set: CharacterSet, line: number): GrammarPart {
    return { kind: 'language', language: this.#languages.set(set), line };
  }

  #group(): GrammarPart {
    const source = this.#source;
    const { line } = source;
    if (source.startsWith('(='))
      throw source.unsupported('lookaheads, (= …), are not supported. Write alternatives that say what may follow.');
    this.#nested += 1;
    if (this.#nested > MOST_NESTED)
      throw source.unsupported(`groups are nested deeper than ${MOST_NESTED}. Make rules of the inner ones.`);
    source.take('(');
    const part = this.#alternatives();
    if (!source.take(')')) {
      throw source.refusal(`the group that opens here is followed by ${source.told}, and not closed. Write ")".`, line);
    }
    this.#nested -= 1;
    return part;
  }

  #text(): GrammarPart {
    const source = this.#source;
    const { line } = source;
    let text = '';
    source.take('"');
    while (!source.take('"')) {
      if (source.isDone) throw source.refusal('the text that opens here is not closed. Write " behind it.', line);
      text += this.#character(ITSELF_IN_TEXT);
    }
    return { kind: 'text', text };
  }

  #class(): CharacterSet {
    const source = this.#source;
    const { line } = source;
    source.take('[');
    const negated = source.take('^');
    const sets: CharacterSet[] = [];
    while (!source.take(']')) {
      if (source.isDone) throw source.refusal('the class that opens here is not closed. Write "]" behind it.', line);
      const [, letter] = source.takeMatch(CLASS_ESCAPE) ?? [];
      sets.push(letter === undefined ? this.#range() : CLASS_ESCAPES[letter]);
    }
    const set = negated ? complement(union(...sets)) : union(...sets);
    if (sets.length === 0 || set.length === 0)
      throw source.refusal('the class holds no character. Name some, or write "." for any.', line);
    return set;
  }

  /** A character of a class, or all from one to another. */
  #range(): CharacterSet {
    const source = this.#source;
    const first = this.#character(ITSELF_IN_CLASS);
    if (!source.startsWith('-') || source.startsWith('-]')) return charactersOf(first);
    source.take('-');
    if (source.isDone || source.matches(CLASS_ESCAPE))
      throw source.refusal(`a range ends with ${source.told}. Write one character, or \\- before it.`);
    const last = this.#character(ITSELF_IN_CLASS);
    const [from, to] = [first.codePointAt(0) ?? 0, last.codePointAt(0) ?? 0];
    if (to < from)
      throw source.refusal(`the range from ${JSON.stringify(first)} to ${JSON.stringify(last)} is empty. Swap them.`);
    return characterSet([[from, to]]);
  }

  #character(itself: string): string {
    return this.#source.take('\\') ? escapedCharacter(this.#source, itself) : this.#source.next();
  }

  #unexpected() {
    const source = this.#source;
    return source.refusal(
      `${source.told} stands where nothing like it may. A rule is written so: name ::= "text" [a-z] other-rule | …`,
    );
  }
}
