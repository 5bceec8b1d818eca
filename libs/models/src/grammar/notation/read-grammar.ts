import type { Languages } from '../regular/regular-language.ts';
import { readGbnf } from './gbnf-reader.ts';
import type { WrittenGrammar } from './grammar-part.ts';
import { GrammarRefusedError } from './grammar-refused-error.ts';
import { GrammarSource } from './grammar-source.ts';
import { LARK_DEFINITION, LARK_SPACE } from './lark-expression.ts';
import { readLark } from './lark-reader.ts';

const GBNF_BEGINNING = /\w[\w-]*\s*::=/y;
/** Characters of a grammar, as of a schema. */
const MOST_CHARACTERS = 131_072;

/**
 * Reads a grammar in either notation. Which one it is, its first definition says: `name ::=` is GBNF; `name:` and lines that begin with % are
 * Lark.
 * @param notation that it has to be, null for either
 * @throws GrammarRefusedError
 */
export function readGrammar(languages: Languages, text: string, notation: 'lark' | null = null): WrittenGrammar {
  if (text.length > MOST_CHARACTERS)
    throw new GrammarRefusedError(
      'unsupported_parameter',
      null,
      `it is longer than ${MOST_CHARACTERS} characters. Make it smaller.`,
    );
  const source = new GrammarSource(text);
  source.takeMatch(LARK_SPACE);
  if (notation === 'lark' && !source.isDone) return readLark(languages, text);
  if (source.isDone) throw new GrammarRefusedError('invalid_request', null, `it has no rules. ${EITHER}`);
  if (source.matches(GBNF_BEGINNING)) return readGbnf(languages, text);
  if (source.startsWith('%') || source.matches(LARK_DEFINITION)) return readLark(languages, text);
  throw source.refusal(`${source.told} begins neither notation. ${EITHER}`);
}

const EITHER = 'Begin with a rule: root ::= "text" … (GBNF), or start: "text" … (Lark).';
