import { COMMA, type GrammarParts } from './grammar-parts.ts';
import { choice, type Expression, sequence, text } from './grammar-rules.ts';
import { countAt, refusal } from './schema-checks.ts';
import { isNever, isSchemaObject, type SchemaObject } from './schema-keywords.ts';
import type { SchemaPath } from './schema-refused-error.ts';

const MAX_ITEMS_BOUND = 1_000_000;
/** What has been used already is a state of its own: 2^8 of them. */
const MAX_UNIQUE_VALUES = 8;

/**
 * The arrays that are valid against a schema.
 * @param value gives the expression of an item's schema
 * @param listed gives the texts of the values of an item's schema that lists them, each once; null of others
 */
export function arrayExpression(
  parts: GrammarParts,
  schema: SchemaObject,
  path: SchemaPath,
  value: (schema: unknown, path: SchemaPath) => Expression,
  listed: (schema: unknown, path: SchemaPath) => readonly string[] | null,
): Expression {
  const { prefixItems, items, uniqueItems } = schema;
  const least = countAt(schema, 'minItems', path) ?? 0;
  const most = countAt(schema, 'maxItems', path);
  if (uniqueItems === true && (most === null || most > 1)) {
    const texts = prefixItems === undefined && isSchemaObject(items) ? listed(items, [...path, 'items']) : null;
    if (texts !== null && texts.length <= MAX_UNIQUE_VALUES) return uniqueExpression(parts, texts, least, most, path);
    const message = `"uniqueItems" is supported where the items are one of at most ${MAX_UNIQUE_VALUES} values of an enum.`;
    throw refusal([...path, 'uniqueItems'], message, 'unsupported_parameter');
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
  const restKeyword = Array.isArray(items) ? 'additionalItems' : 'items';
  const furtherKeyword = schema[restKeyword] === undefined ? 'unevaluatedItems' : restKeyword;
  const further = schema[furtherKeyword];
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

/** Arrays of some of the values, each at most once, in any order. */
function uniqueExpression(
  { rules }: GrammarParts,
  texts: readonly string[],
  least: number,
  most: number | null,
  path: SchemaPath,
): Expression {
  const limit = Math.min(most ?? texts.length, texts.length);
  if (least > limit) throw refusal([...path, 'minItems'], `${least} is more than the ${limit} that it may have.`);
  /** By the bits of the values that were used: what may follow them. */
  const behind: Expression[] = [];
  for (let used = 2 ** texts.length - 1; used >= 0; used--) {
    const count = texts.filter((_, index) => (used >> index) & 1).length;
    const next = texts.flatMap((each, index) =>
      count < limit && ((used >> index) & 1) === 0
        ? [sequence(count === 0 ? text('') : COMMA, text(each), behind[used | (1 << index)])]
        : [],
    );
    behind[used] = rules.add(choice(...(count >= least ? [text(']')] : []), ...next));
  }
  return sequence(text('['), behind[0]);
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
