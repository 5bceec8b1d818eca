import { conditionsOf, isCondition, MergedConditions } from './conditions.ts';
import {
  canonicalJson,
  hasType,
  isAnnotation,
  isSchemaObject,
  type JsonType,
  type SchemaObject,
} from './schema-keywords.ts';
import { type SchemaPath, SchemaRefusedError } from './schema-refused-error.ts';

/** Patterns of schemas that were merged: a text has to fit all of them. No document can hold one. */
export class MergedPatterns {
  readonly patterns: readonly unknown[];

  constructor(patterns: readonly unknown[]) {
    this.patterns = patterns;
  }
}

/** How two values of one keyword become one that says both. */
const MERGERS: Readonly<Record<string, (a: never, b: never) => unknown>> = {
  minimum: Math.max,
  exclusiveMinimum: Math.max,
  minLength: Math.max,
  minItems: Math.max,
  minProperties: Math.max,
  maximum: Math.min,
  exclusiveMaximum: Math.min,
  maxLength: Math.min,
  maxItems: Math.min,
  maxProperties: Math.min,
  required: (a: unknown[], b: unknown[]) => [...new Set([...a, ...b])],
  type: mergeTypes,
  pattern: (a: unknown, b: unknown) =>
    new MergedPatterns([a, b].flatMap((each) => (each instanceof MergedPatterns ? each.patterns : [each]))),
  enum: (a: unknown[], b: unknown[]) => {
    const both = new Set(b.map(canonicalJson));
    return a.filter((value) => both.has(canonicalJson(value)));
  },
};

/**
 * One schema that says what both say.
 * @param b a part of `a`, or what `a` refers to
 * @throws SchemaRefusedError where two values of a keyword cannot be made one
 */
export function mergeSchemas(a: SchemaObject, b: SchemaObject, path: SchemaPath): SchemaObject {
  checkUnevaluated(b, path);
  checkClosed(a, b, path);
  checkClosed(b, a, path);
  checkFurtherItems(a, b, path);
  checkFurtherItems(b, a, path);
  const says = ([keyword, value]: [string, unknown]): boolean => !isAnnotation(keyword) && !isCondition(keyword, value);
  const merged = new Map(Object.entries(a).filter(says));
  const conditions = [...conditionsOf(a, path), ...conditionsOf(b, path)];
  if (conditions.length > 0) merged.set('conditions', new MergedConditions(conditions));
  for (const [keyword, value] of Object.entries(b).filter(says)) {
    merged.set(keyword, merged.has(keyword) ? mergeKeyword(keyword, merged.get(keyword), value, path) : value);
  }
  return Object.fromEntries(merged);
}

function mergeKeyword(keyword: string, a: unknown, b: unknown, path: SchemaPath): unknown {
  if (canonicalJson(a) === canonicalJson(b)) return a;
  if (keyword === 'properties' && isSchemaObject(a) && isSchemaObject(b)) {
    const merged = new Map(Object.entries(a));
    for (const [name, schema] of Object.entries(b)) {
      merged.set(name, merged.has(name) ? mergeValues(merged.get(name), schema, [...path, keyword, name]) : schema);
    }
    return Object.fromEntries(merged);
  }
  // Each branch of the one with all of the other's.
  if (keyword === 'anyOf' && Array.isArray(a)) return a.map((branch: unknown) => ({ allOf: [branch], anyOf: b }));
  if (keyword === 'items' || keyword === 'additionalProperties') return mergeValues(a, b, [...path, keyword]);
  const merge = MERGERS[keyword];
  if (merge === undefined) {
    throw new SchemaRefusedError(
      'unsupported_parameter',
      [...path, keyword],
      `"${keyword}" has two values here, through allOf, anyOf or a $ref; write the combined schema out.`,
    );
  }
  return merge(a as never, b as never);
}

function mergeValues(a: unknown, b: unknown, path: SchemaPath): unknown {
  if (a === false || b === false) return false;
  if (a === true) return b;
  if (b === true) return a;
  if (isSchemaObject(a) && isSchemaObject(b)) {
    // Of two that speak of one value, neither is a part of the other.
    checkUnevaluated(a, path);
    return mergeSchemas(a, b, path);
  }
  throw new SchemaRefusedError('invalid_request', path, 'it is neither an object nor true or false.');
}

/** `additionalProperties` speaks of the properties beside it: the other schema may bring no others. */
function checkClosed(closed: SchemaObject, other: SchemaObject, path: SchemaPath): void {
  const { additionalProperties, properties = {} } = closed;
  if (additionalProperties === undefined || additionalProperties === true) return;
  const known = new Set(Object.keys(properties as object));
  const others = Object.keys((other.properties ?? {}) as object);
  const patterns =
    canonicalJson(closed.patternProperties) === canonicalJson(other.patternProperties) ? {} : other.patternProperties;
  const stray = [...others, ...Object.keys((patterns ?? {}) as object)].find((name) => !known.has(name));
  if (stray === undefined) return;
  throw new SchemaRefusedError(
    'unsupported_parameter',
    [...path, 'additionalProperties'],
    `it speaks of other properties than those of the schema it is combined with (${JSON.stringify(stray)}); write the combined schema out.`,
  );
}

/** The `unevaluated…` of the whole speaks of what no part of it speaks of, but a part's own does not know the other parts. */
function checkUnevaluated(part: SchemaObject, path: SchemaPath): void {
  const keyword = ['unevaluatedProperties', 'unevaluatedItems'].find((each) => part[each] !== undefined);
  if (keyword === undefined) return;
  throw new SchemaRefusedError(
    'unsupported_parameter',
    [...path, keyword],
    'it is supported in a schema that is no part of a combined one; write it beside the allOf, anyOf, oneOf or $ref.',
  );
}

/** `items` and `additionalItems` speak of the items behind the tuple beside them: the other schema's may not be longer. */
function checkFurtherItems(schema: SchemaObject, other: SchemaObject, path: SchemaPath): void {
  const keyword = Array.isArray(schema.items) ? 'additionalItems' : 'items';
  const further = schema[keyword];
  if (further === undefined || further === true || tupleLength(other) <= tupleLength(schema)) return;
  throw new SchemaRefusedError(
    'unsupported_parameter',
    [...path, keyword],
    'it speaks of other items than those of the schema it is combined with; write the combined schema out.',
  );
}

function tupleLength({ prefixItems, items }: SchemaObject): number {
  const tuple = prefixItems ?? items;
  return Array.isArray(tuple) ? tuple.length : 0;
}

function mergeTypes(a: JsonType | JsonType[], b: JsonType | JsonType[]): JsonType[] {
  const [left, right] = [[a].flat(), [b].flat()];
  return [...new Set([...left.filter((type) => hasType(type, right)), ...right.filter((type) => hasType(type, left))])];
}
