import { type CharacterSet, characterSet, charactersOf, complement, union } from './character-set.ts';
import { CLASS_ESCAPES, CONTROL_ESCAPES, DOT } from './pattern-class.ts';
import { PatternError } from './pattern-error.ts';
import { patternLanguage } from './pattern-language.ts';
import type { PatternNode } from './pattern-node.ts';
import type { Language, Languages } from './regular-language.ts';
import { unicodeProperty } from './unicode-property.ts';

const MAX_REPEATS = 256;

/** What a set of characters stands for where it is written. */
type Fold = (set: CharacterSet) => CharacterSet;

/**
 * The texts in which a JSON schema's `pattern` (ECMA-262, flag `u`) finds a match. Lookbehinds and back references are
 * not understood, nor anchors and lookaheads in groups that repeat without limit.
 * @param fold what each set stands for, before it is negated; itself by default
 * @throws PatternError
 */
export function parsePattern(languages: Languages, pattern: string, fold: Fold = (set) => set): Language {
  try {
    new RegExp(pattern, 'u');
  } catch (error) {
    throw new PatternError(error instanceof Error ? error.message : String(error));
  }
  return patternLanguage(languages, new PatternParser(pattern, fold).whole());
}

class PatternParser {
  readonly #characters: readonly string[];
  readonly #fold: Fold;
  #next = 0;

  constructor(pattern: string, fold: Fold) {
    this.#characters = [...pattern];
    this.#fold = fold;
  }

  whole(): PatternNode {
    const node = this.#alternatives();
    if (this.#next < this.#characters.length) throw new PatternError(`"${this.#peek()}" stands where nothing may`);
    return node;
  }

  #alternatives(): PatternNode {
    const parts: PatternNode[] = [];
    do {
      const items: PatternNode[] = [];
      for (let next = this.#peek(); next !== undefined && !'|)'.includes(next); next = this.#peek()) {
        items.push(this.#item());
      }
      parts.push(items.length === 1 ? items[0] : { kind: 'sequence', parts: items });
    } while (this.#take('|'));
    return parts.length === 1 ? parts[0] : { kind: 'either', parts };
  }

  #item(): PatternNode {
    if (this.#take('^')) return { kind: 'start' };
    if (this.#take('$')) return { kind: 'end' };
    if (this.#takeText('\\b')) return { kind: 'word-border' };
    if (this.#takeText('\\B')) return { kind: 'no-word-border' };
    const ahead = this.#takeText('(?=') ? 'ahead' : this.#takeText('(?!') ? 'not-ahead' : null;
    if (ahead === null) return this.#repeated(this.#atom());
    const part = this.#alternatives();
    this.#take(')');
    return { kind: ahead, part };
  }

  #group(): PatternNode {
    if (this.#takeText('(?:')) {
      // Nothing to remember.
    } else if (this.#takeText('(?<')) {
      if ('=!'.includes(this.#peek() ?? '=')) throw new PatternError('lookbehinds are not supported');
      while (!this.#take('>')) this.#next += 1;
    } else if (this.#takeText('(?')) {
      throw new PatternError('inline flags are not supported');
    } else {
      this.#next += 1;
    }
    const node = this.#alternatives();
    this.#take(')');
    return node;
  }

  #atom(): PatternNode {
    const next = this.#peek();
    if (next === '(') return this.#group();
    if (next === '.') {
      this.#next += 1;
      return { kind: 'set', set: DOT };
    }
    return { kind: 'set', set: next === '[' ? this.#class() : this.#fold(this.#character()) };
  }

  #repeated(part: PatternNode): PatternNode {
    let [least, most]: [number, number | null] = [1, 1];
    const counts = /^\{(\d+)(,(\d*))?\}/.exec(this.#characters.slice(this.#next, this.#next + 24).join(''));
    if (this.#take('*')) [least, most] = [0, null];
    else if (this.#take('+')) [least, most] = [1, null];
    else if (this.#take('?')) [least, most] = [0, 1];
    else if (counts !== null) {
      this.#next += counts[0].length;
      least = Number(counts[1]);
      most = counts[2] === undefined ? least : counts[3] === '' ? null : Number(counts[3]);
    } else return part;
    // A lazy quantifier finds other matches, but in the same texts.
    this.#take('?');
    if (Math.max(least, most ?? 0) > MAX_REPEATS) throw new PatternError(`it repeats more than ${MAX_REPEATS} times`);
    return { kind: 'repeat', part, least, most };
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
    const set = this.#fold(union(...sets));
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
