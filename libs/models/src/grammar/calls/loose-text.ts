import type { GrammarParts } from '../grammar-parts.ts';
import { type Expression, optional, sequence, text } from '../grammar-rules.ts';
import { parsePattern } from '../regular/parse-pattern.ts';
import type { LooseText } from './call-style.ts';

const LINE_BREAK = optional(text('\n'));
const SPACE = optional(text(' '));
const INDENT = optional(text('    '));

/** The expression of a text with parts that may be left out or may vary. */
export function looseText(parts: GrammarParts, loose: LooseText): Expression {
  const pieces = loose.split(/([␤␠␣№])/u).filter((piece) => piece !== '');
  return sequence(
    ...pieces.map((piece) => {
      if (piece === '␤') return LINE_BREAK;
      if (piece === '␠') return SPACE;
      if (piece === '␣') return INDENT;
      if (piece !== '№') return text(piece);
      return parts.plain(parsePattern(parts.languages, '^(?:0|[1-9]\\d?)$'), [], 'no number');
    }),
  );
}
