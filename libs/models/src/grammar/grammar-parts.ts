import { choice, type Expression, GrammarRules, optional, repeat, sequence, shallow, text } from './grammar-rules.ts';
import { automatonOf } from './regular/automaton.ts';
import { charactersOf, complement, intersection } from './regular/character-set.ts';
import { NumberLanguages } from './regular/number-language.ts';
import { parsePattern } from './regular/parse-pattern.ts';
import { type Language, Languages } from './regular/regular-language.ts';
import { refusal } from './schema-checks.ts';
import type { SchemaPath } from './schema-refused-error.ts';
import { type Spelling, spellCharacters } from './spelling.ts';
import { type StringTexts, WRITABLE } from './string-schema.ts';

/** Most states of one string, number or text; each costs up to 1 ms. */
export const MAX_STATES = 2_048;

export const SPACE = optional(text(' '));
/** What stands between items and members. */
export const COMMA = sequence(text(','), SPACE);

/** What the grammars of all schemas are made of, each part made once: strings, numbers, values of any type. */
export class GrammarParts {
  readonly rules: GrammarRules;
  readonly languages = new Languages();
  readonly spelling: Spelling;
  readonly #made = new Map<string, Expression>();
  /** Texts that can be written in a string. */
  readonly writable: Language;

  /** @param rules of a grammar that has parts in another spelling too */
  constructor(spelling: Spelling, rules = new GrammarRules()) {
    this.spelling = spelling;
    this.rules = rules;
    const { languages } = this;
    this.writable = languages.both(...spelling.forbidden.map((mark) => this.without(mark)));
  }

  /** The texts in which `mark` does not stand. */
  without(mark: string): Language {
    const { languages } = this;
    return languages.not(languages.concat(languages.anything, languages.text(mark), languages.anything));
  }

  /** A string, from its opening to its close. */
  string(texts: StringTexts, path: SchemaPath): Expression {
    const { stringOpen, stringClose } = this.spelling;
    return sequence(text(stringOpen), this.#string(texts, path), text(stringClose));
  }

  /** An object's key whose name is in the language, as it is written. */
  key(language: Language, path: SchemaPath): Expression {
    const { keyOpen, keyClose, keyPattern } = this.spelling;
    const names =
      keyPattern === null ? language : this.languages.both(language, parsePattern(this.languages, keyPattern));
    return sequence(text(keyOpen), this.#text(names, path), text(keyClose));
  }

  /**
   * Text that is in the language, as it is.
   * @param most characters; null for no limit
   */
  plain(language: Language, path: SchemaPath, problem: string, most: number | null = null): Expression {
    return this.#once(`plain ${language.id} ${most}`, () => {
      const automaton = automatonOf(this.languages, language, MAX_STATES);
      if (automaton === null) throw refusal(path, `it needs more than ${MAX_STATES} states.`, 'unsupported_parameter');
      if (automaton.length === 0) throw refusal(path, problem);
      return this.rules.addText(automaton, undefined, most);
    });
  }

  /** `least` to `most` times `one`; `any` is any number of it. */
  counted(one: Expression, any: Expression, least: number, most: number | null): Expression {
    const { rules } = this;
    if (most !== null) return rules.add(repeat(one, least, most));
    return sequence(rules.add(repeat(one, least, least)), any);
  }

  #string({ language, isShaped, least, most }: StringTexts, path: SchemaPath): Expression {
    const { languages, spelling } = this;
    if (isShaped || (least === 0 && most === null)) return this.#text(language, path, most);
    // A text without the marks' first characters holds no mark.
    const first = charactersOf(spelling.forbidden.map(([character]) => character).join(''));
    const character = languages.set(intersection(WRITABLE, complement(first)));
    return this.counted(this.#text(character, path), this.#text(languages.star(character), path), least, most);
  }

  #text(language: Language, path: SchemaPath, most: number | null = null): Expression {
    return this.#once(`string ${language.id} ${most}`, () => {
      const automaton = automatonOf(this.languages, this.languages.both(language, this.writable), MAX_STATES);
      if (automaton === null)
        throw refusal(path, `its pattern or length needs more than ${MAX_STATES} states.`, 'unsupported_parameter');
      const made = automaton.length === 0 ? null : this.rules.addText(automaton, spellCharacters(this.spelling), most);
      if (made === null || !this.rules.isProductive(made))
        throw refusal(path, 'no text fits its pattern, format and length.');
      return made;
    });
  }

  get boolean(): Expression {
    return choice(text(this.spelling.constants.true), text(this.spelling.constants.false));
  }

  get null(): Expression {
    return text(this.spelling.constants.null);
  }

  /** Any value. Arrays and objects are not nested without end. */
  anyValue(): Expression {
    return this.#once('any', () => {
      const { languages, rules } = this;
      const texts = languages.star(languages.set(WRITABLE));
      const any = rules.reserve();
      const inner: Expression = { kind: 'rule', rule: any };
      const member = sequence(this.key(texts, []), text(':'), SPACE, inner);
      return rules.define(
        any,
        choice(
          this.string({ language: texts, isShaped: false, least: 0, most: null }, []),
          this.plain(new NumberLanguages(languages).any(), [], 'no number'),
          this.boolean,
          this.null,
          shallow(sequence(text('['), rules.list(inner, COMMA, 0, null), text(']'))),
          shallow(sequence(text('{'), rules.list(member, COMMA, 0, null), text('}'))),
        ),
      );
    });
  }

  #once(key: string, make: () => Expression): Expression {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#made.set(key, made);
    return made;
  }
}
