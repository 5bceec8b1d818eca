import { type CharacterSet, characterSet, charactersOf, complement, union } from './character-set.ts';
import { CLASS_ESCAPES, CONTROL_ESCAPES, DOT } from './pattern-class.ts';
import { PatternError } from './pattern-error.ts';
import type { Language, Languages } from './regular-language.ts';
import { unicodeProperty } from './unicode-property.ts';

/** A part of a sequence: a language, or a condition on all that follows. */
type Item = { readonly kind: 'part' | 'ahead' | 'not-ahead'; readonly language: Language };

const MAX_REPEATS = 256;

/**
 * The texts in which a JSON schema's `pattern` (ECMA-262, flag `u`) finds a match. Anchors are understood at the ends of
 * the pattern and of its alternatives, lookaheads outside of groups; word boundaries, lookbehinds and back references
 * are not.
 * @throws PatternError
 */
export function parsePattern(languages: Languages, pattern: string): Language {
  try {
    new RegExp(pattern, 'u');
  } catch (error) {
    throw new PatternError(error instanceof Error ? error.message : String(error));
  }
  return new PatternParser(languages, pattern).whole();
}

class PatternParser {
  readonly #languages: Languages;
  readonly #characters: readonly string[];
  #next = 0;

  constructor(languages: Languages, pattern: string) {
    this.#languages = languages;
    this.#characters = [...pattern];
  }

  whole(): Language {
    const language = this.#search(false);
    if (this.#next < this.#characters.length) throw new PatternError(`"${this.#peek()}" stands where nothing may`);
    return language;
  }

  /** Alternatives that may match anywhere in the text, or from its start on. */
  #search(fromStart: boolean): Language {
    const { anything } = this.#languages;
    const alternatives: Language[] = [];
    do {
      const anchored = this.#take('^') || fromStart;
      const items = this.#items(true);
      const ends = this.#take('$');
      let rest = ends ? this.#languages.empty : anything;
      for (const item of items.reverse()) rest = this.#before(item, rest);
      alternatives.push(anchored ? rest : this.#languages.concat(anything, rest));
    } while (this.#take('|'));
    return this.#languages.either(...alternatives);
  }

  #before({ kind, language }: Item, rest: Language): Language {
    if (kind === 'part') return this.#languages.concat(language, rest);
    return this.#languages.both(kind === 'ahead' ? language : this.#languages.not(language), rest);
  }

  #items(lookaheads: boolean): Item[] {
    const items: Item[] = [];
    for (let next = this.#peek(); next !== undefined && !'|)$'.includes(next); next = this.#peek()) {
      const ahead = lookaheads ? this.#lookahead() : null;
      items.push(ahead ?? { kind: 'part', language: this.#repeated(this.#atom()) });
    }
    return items;
  }

  #lookahead(): Item | null {
    const kind = this.#takeText('(?=') ? 'ahead' : this.#takeText('(?!') ? 'not-ahead' : null;
    if (kind === null) return null;
    const language = this.#search(true);
    this.#take(')');
    return { kind, language };
  }

  /** Inside of a group nothing may look at the text's ends. */
  #group(): Language {
    if (this.#takeText('(?:')) {
      // Nothing to remember.
    } else if (this.#takeText('(?<')) {
      if ('=!'.includes(this.#peek() ?? '=')) throw new PatternError('lookbehinds are not supported');
      while (!this.#take('>')) this.#next += 1;
    } else if (this.#takeText('(?')) {
      throw new PatternError('lookaheads inside of groups and inline flags are not supported');
    } else {
      this.#next += 1;
    }
    const alternatives: Language[] = [];
    do alternatives.push(this.#languages.concat(...this.#items(false).map(({ language }) => language)));
    while (this.#take('|'));
    if (!this.#take(')')) throw new PatternError('anchors inside of groups are not supported');
    return this.#languages.either(...alternatives);
  }

  #atom(): Language {
    const next = this.#peek();
    if (next === '(') return this.#group();
    if (next === '^') throw new PatternError('"^" is supported at the start of the pattern or of an alternative only');
    if (next === '.') {
      this.#next += 1;
      return this.#languages.set(DOT);
    }
    return this.#languages.set(next === '[' ? this.#class() : this.#character());
  }

  #repeated(atom: Language): Language {
    let [least, most]: [number, number | null] = [1, 1];
    const counts = /^\{(\d+)(,(\d*))?\}/.exec(this.#characters.slice(this.#next, this.#next + 24).join(''));
    if (this.#take('*')) [least, most] = [0, null];
    else if (this.#take('+')) [least, most] = [1, null];
    else if (this.#take('?')) [least, most] = [0, 1];
    else if (counts !== null) {
      this.#next += counts[0].length;
      least = Number(counts[1]);
      most = counts[2] === undefined ? least : counts[3] === '' ? null : Number(counts[3]);
    } else return atom;
    // A lazy quantifier finds other matches, but in the same texts.
    this.#take('?');
    if (Math.max(least, most ?? 0) > MAX_REPEATS) throw new PatternError(`it repeats more than ${MAX_REPEATS} times`);
    return this.#languages.repeat(atom, least, most);
  }

  #class(): CharacterSet {
    this.#next += 1;
    const negated = this.#take('^');
    const sets: CharacterSet[] = [];
    while (!this.#take(']')) {
      const first = this.#character();
      const isRange = this.#peek() === '-' && this.#characters[this.#next + 1] !== ']' && first.length === 2;
      if (!isRange) {
        sets.push(first);
        continue;
      }
      this.#next += 1;
      sets.push(characterSet([[first[0], this.#character()[1]]]));
    }
    const set = union(...sets);
    return negated ? complement(set) : set;
  }

  #character(): CharacterSet {
    const character = this.#characters[this.#next];
    this.#next += 1;
    if (character !== '\\') return charactersOf(character);
    const letter = this.#characters[this.#next];
    this.#next += 1;
    if (CLASS_ESCAPES[letter] !== undefined) return CLASS_ESCAPES[letter];
    if (CONTROL_ESCAPES[letter] !== undefined) return charactersOf(CONTROL_ESCAPES[letter]);
    if (letter === 'p' || letter === 'P') {
      const close = this.#characters.indexOf('}', this.#next);
      const set = unicodeProperty(this.#characters.slice(this.#next + 1, close).join(''));
      this.#next = close + 1;
      return letter === 'p' ? set : complement(set);
    }
    const ahead = this.#characters.slice(this.#next, this.#next + 10).join('');
    const hex =
      letter === 'x'
        ? /^([0-9a-f]{2})/i.exec(ahead)
        : letter === 'u'
          ? /^(?:\{([0-9a-f]+)\}|([0-9a-f]{4}))/i.exec(ahead)
          : null;
    if (hex !== null) {
      this.#next += hex[0].length;
      const codePoint = Number.parseInt(hex[1] ?? hex[2], 16);
      return [codePoint, codePoint];
    }
    if (/[A-Za-z0-9]/.test(letter)) throw new PatternError(`"\\${letter}" is not supported`);
    return charactersOf(letter);
  }

  #peek(): string | undefined {
    return this.#characters[this.#next];
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#next += 1;
    return true;
  }

  #takeText(text: string): boolean {
    if (this.#characters.slice(this.#next, this.#next + text.length).join('') !== text) return false;
    this.#next += text.length;
    return true;
  }
}
