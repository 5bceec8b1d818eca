import type { GrammarParts } from '../grammar-parts.ts';
import type { Expression } from '../grammar-rules.ts';
import type { SchemaGrammar } from '../schema-grammar.ts';
import type { CallShape } from './call-style.ts';
import { pythonicLayout } from './pythonic-arguments.ts';
import { freeTaggedArguments, taggedLayout } from './tagged-arguments.ts';

/**
 * A call's arguments, as they are written where calls have the shape.
 * @param isFree whether any will do
 * @throws SchemaRefusedError where the schema can not be enforced so
 */
export function schemaArguments(
  parts: GrammarParts,
  shape: CallShape,
  grammar: SchemaGrammar,
  isFree: boolean,
): Expression {
  switch (shape.kind) {
    case 'object':
    case 'named':
      return grammar.document();
    case 'pythonic':
      return grammar.object((value) => pythonicLayout(parts, value));
    case 'tagged':
      if (isFree) return freeTaggedArguments(parts, shape.tags);
      return grammar.object((value) => taggedLayout(parts, shape.tags, value));
  }
}
