import type { GrammarParts } from '../grammar-parts.ts';
import type { Expression } from '../grammar-rules.ts';
import { PatternError } from '../regular/pattern-error.ts';
import { GrammarRefusedError } from './grammar-refused-error.ts';
import { LanguageTexts } from './language-texts.ts';
import { wholePattern } from './lark-pattern.ts';

/** The texts that a regular expression, as Rust and Python write it, matches from their first character to their last. @throws GrammarRefusedError */
export function regexDocument(parts: GrammarParts, written: string): Expression {
  try {
    return new LanguageTexts(parts).of(wholePattern(parts.languages, written), null);
  } catch (error) {
    if (error instanceof RangeError)
      throw new GrammarRefusedError('unsupported_parameter', null, 'its groups are nested too deep. Make it simpler.');
    if (!(error instanceof PatternError)) throw error;
    const problem = `the regular expression ${error.message}. Write it without.`;
    throw new GrammarRefusedError('unsupported_parameter', null, problem);
  }
}
