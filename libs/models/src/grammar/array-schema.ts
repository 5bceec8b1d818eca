import { COMMA, type GrammarParts } from './grammar-parts.ts';
import { choice, type Expression, sequence, text } from './grammar-rules.ts';
import { countAt, refusal } from './schema-checks.ts';
import { isNever, type SchemaObject } from './schema-keywords.ts';
import type { SchemaPath } from './schema-refused-error.ts';

const MAX_ITEMS_BOUND = 512;

/**
 * The arrays that are valid against a schema.
 * @param value gives the expression of an item's schema
 */
export function arrayExpression(
  parts: GrammarParts,
  schema: SchemaObject,
  path: SchemaPath,
  value: (schema: unknown, path: SchemaPath) => Expression,
): Expression {
  const { prefixItems, items, additionalItems, uniqueItems } = schema;
  const least = countAt(schema, 'minItems', path) ?? 0;
  const most = countAt(schema, 'maxItems', path);
  if (uniqueItems === true && (most === null || most > 1)) {
    throw refusal([...path, 'uniqueItems'], '"uniqueItems" is not supported.', 'unsupported_parameter');
  }
  if (Math.max(least, most ?? 0) > MAX_ITEMS_BOUND) {
    throw refusal(
      [...path, most === null ? 'minItems' : 'maxItems'],
      `more than ${MAX_ITEMS_BOUND}, the largest that is enforced.`,
      'unsupported_parameter',
    );
  }
  const tuple = prefixItems ?? (Array.isArray(items) ? items : []);
  const tupleKeyword = prefixItems === undefined ? 'items' : 'prefixItems';
  if (!Array.isArray(tuple)) throw refusal([...path, tupleKeyword], 'it is not an array.');
  const further = Array.isArray(items) ? additionalItems : items;
  const furtherKeyword = Array.isArray(items) ? 'additionalItems' : 'items';
  const closed = isNever(further) || (further === undefined && tuple.length > 0 && least <= tuple.length);
  const fixed = tuple.slice(0, most ?? tuple.length).map((item, index) => value(item, [...path, tupleKeyword, index]));
  const limit = closed ? Math.min(most ?? fixed.length, fixed.length) : most;
  if (limit !== null && least > limit)
    throw refusal([...path, 'minItems'], `${least} is more than the ${limit} that it may have.`);
  if (limit === 0) return text('[]');
  const isOpen = !closed && limit !== fixed.length;
  const item = isOpen ? value(further ?? true, [...path, furtherKeyword]) : null;
  return sequence(text('['), itemsExpression(parts, fixed, item, least, limit), text(']'));
}

/** The tuple's items first, then a list of further ones. */
function itemsExpression(
  { rules }: GrammarParts,
  fixed: readonly Expression[],
  item: Expression | null,
  least: number,
  most: number | null,
): Expression {
  const [count, end] = [fixed.length, text('')];
  const room = most === null ? null : most - count;
  if (count === 0) return item === null ? end : rules.list(item, COMMA, least, room);
  const missing = Math.max(0, least - count);
  let rest: Expression = end;
  if (item !== null) {
    const some = sequence(COMMA, rules.list(item, COMMA, Math.max(1, missing), room));
    rest = rules.add(missing > 0 ? some : choice(end, some));
  }
  for (let index = count - 1; index > 0; index--) {
    const next = sequence(COMMA, fixed[index], rest);
    rest = rules.add(index < least ? next : choice(end, next));
  }
  const whole = sequence(fixed[0], rest);
  return least > 0 ? whole : choice(end, whole);
}
