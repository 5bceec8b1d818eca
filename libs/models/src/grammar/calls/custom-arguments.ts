import { MillraceError } from '#contracts/ports';
import { escapedTexts } from '../escaped-texts.ts';
import { type GrammarParts, MAX_STATES } from '../grammar-parts.ts';
import { type Expression, sequence, text } from '../grammar-rules.ts';
import { grammarDocument } from '../notation/grammar-document.ts';
import { regexDocument } from '../notation/regex-document.ts';
import { memberLayout } from '../object-schema.ts';
import { automatonOf } from '../regular/automaton.ts';
import type { Language } from '../regular/regular-language.ts';
import { TextsWithin } from '../texts-within.ts';
import { TooManyStatesError } from '../too-many-states-error.ts';
import type { CallShape } from './call-style.ts';
import { pythonicLayout } from './pythonic-arguments.ts';
import { rawLanguage, taggedArgument } from './tagged-arguments.ts';

/** The grammar of the text that a custom tool takes. */
export interface CustomInput {
  readonly syntax: 'lark' | 'regex';
  readonly definition: string;
}

/** Parts of one input beyond which it is refused, as of a schema. */
const MAX_SIZE = 65_536;
const NAME = 'input';

/** The arguments of a custom tool's calls, in each way in which a family writes calls: one string, of which the texts are a grammar's. */
export class CustomArguments {
  readonly #parts: GrammarParts;
  readonly #field: string;
  /** As it is, without what calls are written with. */
  readonly #input: Expression;
  #quoted: Expression | null = null;
  /** By what they may be; lists of calls mostly have the same marks. */
  readonly #unescaped = new Map<Language, Expression>();

  /** @throws MillraceError for a grammar that is not enforced */
  constructor(parts: GrammarParts, tool: string, { syntax, definition }: CustomInput) {
    this.#parts = parts;
    this.#field = `tools.${tool}.${NAME}`;
    this.#input = this.#blamed(() =>
      syntax === 'lark' ? grammarDocument(parts, definition, 'lark') : regexDocument(parts, definition),
    );
  }

  /** @throws MillraceError where no text of the grammar can be written so */
  of(shape: CallShape): Expression {
    const parts = this.#parts;
    switch (shape.kind) {
      case 'object':
      case 'named': {
        const layout = memberLayout(parts, () => this.#string());
        return sequence(text(layout.open), layout.member(NAME, true, []), text(layout.close));
      }
      case 'pythonic': {
        const layout = pythonicLayout(parts, () => this.#string());
        return sequence(text(layout.open), layout.member(NAME, true, []), text(layout.close));
      }
      case 'tagged': {
        const { tags } = shape;
        return taggedArgument(parts, tags, text(NAME), true, this.#within(rawLanguage(parts, tags)));
      }
    }
  }

  #string(): Expression {
    const { rules, spelling, writable } = this.#parts;
    const { stringOpen, stringClose, escaped } = spelling;
    this.#quoted ??= escaped ? this.#blamed(() => escapedTexts(rules, this.#input)) : this.#within(writable);
    return sequence(text(stringOpen), this.#quoted, text(stringClose));
  }

  /** The texts that the language has, too: without a mark by which the family ends a text. */
  #within(language: Language): Expression {
    const { languages, rules } = this.#parts;
    const known = this.#unescaped.get(language);
    if (known !== undefined) return known;
    return this.#blamed(() => {
      const automaton = automatonOf(languages, language, MAX_STATES);
      if (automaton === null) throw new TooManyStatesError();
      const texts = rules.add(new TextsWithin(rules, automaton, MAX_SIZE).of(this.#input));
      this.#unescaped.set(language, texts);
      if (rules.isProductive(texts)) return texts;
      throw refusal('each of its texts has what would end it, or be read otherwise, as this model writes calls.');
    });
  }

  /** Runs what may refuse the grammar, and says whose it is. */
  #blamed<Result>(make: () => Result): Result {
    try {
      return make();
    } catch (error) {
      const known = refusalOf(error);
      if (known === null) throw error;
      const problem = `${this.#field}: ${known.message}`;
      throw new MillraceError(known.code, problem, { param: this.#field, cause: error });
    }
  }
}

/** Null for what is no fault of the grammar. */
function refusalOf(error: unknown): MillraceError | null {
  if (error instanceof MillraceError) return error;
  if (error instanceof TooManyStatesError)
    return refusal(`as this model writes calls, it needs more than ${MAX_SIZE} parts and states. Make it smaller.`);
  // The call stack's end.
  return error instanceof RangeError ? refusal('its parts are nested too deep. Make it simpler.') : null;
}

function refusal(problem: string): MillraceError {
  return new MillraceError('unsupported_parameter', `Grammar: ${problem}`, { param: '' });
}
