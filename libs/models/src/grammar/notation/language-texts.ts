import { type GrammarParts, MAX_STATES } from '../grammar-parts.ts';
import type { Expression } from '../grammar-rules.ts';
import { automatonOf } from '../regular/automaton.ts';
import type { Language } from '../regular/regular-language.ts';
import { utf8Ranges } from '../regular/utf8-ranges.ts';
import { GrammarRefusedError } from './grammar-refused-error.ts';

/** A set of so few ranges is written where it is used; larger languages once, as rules. */
const FEW_BOUNDS = 16;

/** The texts of classes and terminals, each made once. */
export class LanguageTexts {
  readonly #parts: GrammarParts;
  readonly #made = new Map<Language, Expression>();

  constructor(parts: GrammarParts) {
    this.#parts = parts;
  }

  /** @param line where it is written, null where that is all. @throws GrammarRefusedError where there are none, or too many to tell apart */
  of(language: Language, line: number | null): Expression {
    const known = this.#made.get(language);
    if (known !== undefined) return known;
    const automaton = automatonOf(this.#parts.languages, language, MAX_STATES);
    if (automaton === null)
      throw new GrammarRefusedError(
        'unsupported_parameter',
        line,
        `its texts need more than ${MAX_STATES} states. Make them simpler, or make rules of their parts.`,
      );
    if (automaton.length === 0)
      throw new GrammarRefusedError('invalid_request', line, 'no text fits it. Change it, or remove it.');
    const isSmall = language.kind === 'set' && language.set.length <= FEW_BOUNDS;
    const made: Expression = isSmall
      ? { kind: 'automaton', automaton, spell: utf8Ranges, most: null }
      : this.#parts.rules.addText(automaton);
    this.#made.set(language, made);
    return made;
  }
}
