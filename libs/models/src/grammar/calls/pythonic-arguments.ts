import { COMMA, type GrammarParts } from '../grammar-parts.ts';
import { type Expression, sequence, text } from '../grammar-rules.ts';
import type { ObjectLayout } from '../object-schema.ts';
import { parsePattern } from '../regular/parse-pattern.ts';
import { refusal } from '../schema-checks.ts';
import type { SchemaPath } from '../schema-refused-error.ts';

const NAME = '^[A-Za-z_][A-Za-z0-9_]{0,127}$';

/** Arguments as Python writes them: `(a=1, b="x")`. */
export function pythonicLayout(
  parts: GrammarParts,
  value: (schema: unknown, path: SchemaPath) => Expression,
): ObjectLayout {
  return {
    open: '(',
    close: ')',
    separator: COMMA,
    member(name, schema, path) {
      if (!new RegExp(NAME, 'u').test(name)) {
        const message = 'an argument of this name can not be written as Python, as this model writes calls.';
        throw refusal(path, message, 'unsupported_parameter');
      }
      return sequence(text(`${name}=`), value(schema, path));
    },
    otherMember(names, schema, path) {
      const { languages } = parts;
      const name = parts.plain(languages.both(names, parsePattern(languages, NAME)), path, 'no name can be written.');
      return sequence(name, text('='), value(schema, path));
    },
  };
}
