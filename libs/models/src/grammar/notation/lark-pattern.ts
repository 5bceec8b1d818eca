import { withBothCases } from '../regular/folded-case.ts';
import { parsePattern } from '../regular/parse-pattern.ts';
import { PatternError } from '../regular/pattern-error.ts';
import type { Language, Languages } from '../regular/regular-language.ts';

/** What ECMAScript (flag u) lets stand behind a backslash for itself. */
const SYNTAX = '^$\\.*+?()[]{}|/';
/** Escapes of Python and Rust that ECMAScript spells otherwise. */
const OTHER_ESCAPES: Readonly<Record<string, string>> = { a: '\\x07', e: '\\x1b' };
const BORDERS: Readonly<Record<string, string>> = {
  A: 'start',
  Z: 'end',
  z: 'end',
  b: 'word border',
  B: 'word border',
};
/** Where nothing stands before or behind it. */
const ENDS: Readonly<Record<string, string>> = { A: '^', Z: '$', z: '$' };
/** At the beginning of a regular expression. */
const FLAGS = /^\(\?([a-z]+)\)/;
const GROUPS: readonly (readonly [opens: string, problem: string])[] = [
  ['(?=', 'looks ahead'],
  ['(?!', 'looks ahead'],
  ['(?<=', 'looks back'],
  ['(?<!', 'looks back'],
  ['(?P=', 'refers back to a group'],
  ['(?>', 'has an atomic group'],
  ['(?#', 'has a comment inside'],
];

/**
 * The texts that a regular expression of Lark's matches from their first character to their last. What looks around, or takes as
 * little as it can, says something about the text behind a terminal, and is refused; so are flags but i, s and u.
 * @throws PatternError
 */
export function larkPattern(languages: Languages, pattern: string, flags: string): Language {
  return languageOf(languages, pattern, flags, false);
}

/**
 * The texts that a regular expression by itself matches from their first character to their last. Anchors at their ends hold there anyway, and
 * what takes as little as it can takes all in the end; flags stand at its beginning.
 * @throws PatternError
 */
export function wholePattern(languages: Languages, pattern: string): Language {
  const [written = '', flags = ''] = FLAGS.exec(pattern) ?? [];
  return languageOf(languages, pattern.slice(written.length), flags, true);
}

/** @param isByItself whether nothing stands before or behind what it matches */
function languageOf(languages: Languages, pattern: string, flags: string, isByItself: boolean): Language {
  const unknown = [...flags].find((flag) => !'isu'.includes(flag));
  if (unknown !== undefined) throw new PatternError(`has the flag ${unknown}, and only i, s and u are supported`);
  const translated = new PatternTranslator(pattern, flags.includes('s'), isByItself).whole();
  // Anchors: a pattern is found anywhere otherwise. By itself first: `a)|(b` is one only with the parentheses around it.
  const fold = flags.includes('i') ? withBothCases : undefined;
  parsePattern(languages, translated, fold);
  return parsePattern(languages, `^(?:${translated})$`, fold);
}

/** Writes Python's and Rust's regular expressions as ECMAScript does with the flag u. */
class PatternTranslator {
  readonly #pattern: string;
  readonly #any: string;
  readonly #isByItself: boolean;
  #next = 0;

  /** @param isByItself whether nothing stands before or behind what it matches */
  constructor(pattern: string, dotTakesLines: boolean, isByItself: boolean) {
    this.#pattern = pattern;
    this.#isByItself = isByItself;
    this.#any = dotTakesLines ? '[^]' : '[^\\n]';
  }

  whole(): string {
    let written = '';
    while (this.#next < this.#pattern.length) written += this.#one();
    return written;
  }

  #one(): string {
    const character = this.#pattern[this.#next];
    if (character === '\\') return this.#escape(false);
    if (character === '[') return this.#class();
    if (character === '(') return this.#group();
    if ('^$'.includes(character) && !this.#isByItself)
      throw new PatternError(`has the anchor ${character}; a terminal is matched as a whole without`);
    if ('*+?'.includes(character)) return this.#quantifier(character);
    if (character === '{') return this.#bounds();
    this.#next += 1;
    if (character === '.') return this.#any;
    return ']}'.includes(character) ? `\\${character}` : character;
  }

  #group(): string {
    for (const [opens, problem] of GROUPS) {
      if (this.#pattern.startsWith(opens, this.#next))
        throw new PatternError(`${problem}, ${opens}…), which is not supported`);
    }
    const named = this.#take(/\(\?P?<\w+>/y);
    if (named !== null) return '(?:';
    if (this.#take(/\(\?:/y) !== null) return '(?:';
    if (this.#pattern.startsWith('(?', this.#next)) {
      const place = this.#isByItself ? 'at its beginning, as in (?i)' : 'behind the closing /';
      throw new PatternError(`has flags inside; write them ${place}`);
    }
    this.#next += 1;
    return '(';
  }

  #bounds(): string {
    const bounds = this.#take(/\{(\d*)(,?)(\d*)\}/y);
    if (bounds === null || (bounds[1] === '' && bounds[3] === '')) {
      if (bounds !== null) this.#next -= bounds[0].length;
      this.#next += 1;
      return '\\{';
    }
    return this.#greedy(`{${bounds[1] || '0'}${bounds[2]}${bounds[3]}}`);
  }

  #quantifier(character: string): string {
    this.#next += 1;
    return this.#greedy(character);
  }

  #greedy(quantifier: string): string {
    const behind = this.#pattern[this.#next];
    if (behind === '?' && this.#isByItself) this.#next += 1;
    else if (behind === '?')
      throw new PatternError(
        `takes as little as it can, ${quantifier}?, which is not supported; say what may not come instead, as in "[^"]*"`,
      );
    if (behind === '+') throw new PatternError(`never gives back, ${quantifier}+, which is not supported`);
    return quantifier;
  }

  #class(): string {
    this.#next += 1;
    let written = this.#take(/\^/y) === null ? '[' : '[^';
    // Right behind the opening it is a character.
    if (this.#take(/\]/y) !== null) written += '\\]';
    while (this.#next < this.#pattern.length && this.#pattern[this.#next] !== ']') {
      if (/^\[[:=.]/.test(this.#pattern.slice(this.#next, this.#next + 2)))
        throw new PatternError('has a named class, [[:…:]]; write its characters');
      if (this.#pattern[this.#next] === '\\') written += this.#escape(true);
      else {
        const character = this.#pattern[this.#next];
        written += character === '[' ? '\\[' : character;
        this.#next += 1;
      }
    }
    if (this.#next >= this.#pattern.length) throw new PatternError('has a class that is not closed');
    this.#next += 1;
    return `${written}]`;
  }

  #escape(inClass: boolean): string {
    this.#next += 1;
    const code = this.#take(/(?:U([0-9a-f]{8})|[xu]\{([0-9a-f]+)\})/iy);
    if (code !== null) return `\\u{${(code[1] ?? code[2]).replace(/^0+(?=.)/, '')}}`;
    const character = String.fromCodePoint(this.#pattern.codePointAt(this.#next) ?? 0);
    this.#next += character.length;
    if (this.#isByItself && !inClass && Object.hasOwn(ENDS, character)) return ENDS[character];
    if (!inClass && Object.hasOwn(BORDERS, character))
      throw new PatternError(`asks for a ${BORDERS[character]}, \\${character}, which is not supported`);
    if (Object.hasOwn(OTHER_ESCAPES, character)) return OTHER_ESCAPES[character];
    if (/[A-Za-z0-9]/.test(character) || SYNTAX.includes(character) || (inClass && character === '-'))
      return `\\${character}`;
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#next;
    const match = pattern.exec(this.#pattern);
    if (match !== null) this.#next += match[0].length;
    return match;
  }
}
