import { type Condition, conditionsOf, isCondition, MergedConditions } from './conditions.ts';
import { mergeSchemas } from './merge-schemas.ts';
import { checkPart, refusal, typesOf } from './schema-checks.ts';
import {
  canonicalJson,
  hasType,
  isAnnotation,
  isSchemaObject,
  type JsonType,
  type SchemaObject,
  typeOf,
} from './schema-keywords.ts';
import { mayNotHold, requiredOf, type SchemaReader, valuesOf } from './schema-reader.ts';
import type { SchemaPath } from './schema-refused-error.ts';

/** A schema of which one holds, with where it stands. */
export interface Variant {
  readonly schema: SchemaObject;
  readonly path: SchemaPath;
}

/**
 * A schema with conditions as the schemas of which one holds: where the first condition is met with what follows from that, and each way in which
 * it is not with what follows from that. Further conditions are left in them. Conditions are on which properties an object has, and on
 * listed values of properties whose other values are listed too.
 *
 * @throws SchemaRefusedError for other conditions
 */
export function variantsOf(reader: SchemaReader, schema: SchemaObject, path: SchemaPath): readonly Variant[] {
  const [condition, ...others] = conditionsOf(schema, path);
  const rest: SchemaObject = {
    ...Object.fromEntries(Object.entries(schema).filter(([keyword, value]) => !isCondition(keyword, value))),
    ...(others.length === 0 ? {} : { conditions: new MergedConditions(others) }),
  };
  if (typesOf(schema, path).some((type) => type !== 'object')) {
    throw unsupported(condition, 'the condition is not on an object; write "type": "object" beside it');
  }
  const whole: SchemaObject = { ...rest, type: 'object' };
  const { met, unmet } = casesOf(reader, whole, condition);
  const cases = [
    ...(met === null ? [] : [{ when: met, consequence: condition.consequence }]),
    ...unmet.map((when) => ({ when, consequence: condition.alternative })),
  ];
  return cases.flatMap(({ when, consequence: { schema: given, path: givenPath } }) => {
    const target = reader.dereference(given, givenPath);
    if (target === false) return [];
    const narrowed = mergeSchemas(whole, when, condition.path);
    if (target === true) return [{ schema: narrowed, path }];
    checkPart(target, givenPath);
    return [
      {
        schema: mergeSchemas(narrowed, reader.withAllOf(target, givenPath) as SchemaObject, givenPath),
        path: givenPath,
      },
    ];
  });
}

interface Cases {
  /** What an object is like that meets the condition; null where none does. */
  readonly met: SchemaObject | null;
  /** The ways in which one may not. */
  readonly unmet: readonly SchemaObject[];
}

function casesOf(reader: SchemaReader, whole: SchemaObject, condition: Condition): Cases {
  const asked = reader.withAllOf(condition.asked, condition.path);
  if (asked === true) return { met: {}, unmet: [] };
  if (asked === false) return { met: null, unmet: [{}] };
  checkPart(asked, condition.path);
  const known = ['properties', 'required', 'type'];
  const other = Object.keys(asked).find((keyword) => !known.includes(keyword) && !isAnnotation(keyword));
  if (other !== undefined || (asked.type !== undefined && asked.type !== 'object')) {
    throw unsupported(condition, `a condition is on "properties" and "required", not on "${other ?? 'type'}"`);
  }
  const { properties: given = {}, required: named = [] } = asked;
  if (!isSchemaObject(given)) throw refusal([...condition.path, 'properties'], 'it is not an object.');
  if (!Array.isArray(named) || requiredOf(asked).length < named.length) {
    throw refusal([...condition.path, 'required'], 'it is not an array of strings.');
  }
  const required = requiredOf(whole);
  const unmet: SchemaObject[] = [];
  for (const name of requiredOf(asked)) {
    if (mayNotHold(whole, name)) return { met: null, unmet: [{}] };
    if (!required.includes(name)) unmet.push({ properties: { [name]: false } });
  }
  const properties: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const wanted = reader.dereference(value, [...condition.path, 'properties', name]);
    if (wanted === true || mayNotHold(whole, name)) continue;
    const declared = isSchemaObject(whole.properties) ? (whole.properties[name] ?? true) : true;
    const all = listedValues(reader.withAllOf(declared, condition.path));
    const listed = listedValues(wanted);
    if (listed === null || (all === null && listed.length > 0)) {
      throw unsupported(
        condition,
        `${JSON.stringify(name)} is not asked for some of its listed values (const, enum, boolean)`,
      );
    }
    const texts = new Set(listed.map(canonicalJson));
    const inside = (all ?? []).filter((each) => texts.has(canonicalJson(each)));
    const outside = all?.filter((each) => !texts.has(canonicalJson(each))) ?? null;
    if (outside === null) unmet.push({ required: [name] });
    else if (outside.length > 0) unmet.push({ properties: { [name]: { enum: outside } }, required: [name] });
    if (inside.length > 0) properties[name] = { enum: inside };
    else if (required.includes(name) || requiredOf(asked).includes(name)) return { met: null, unmet: [{}] };
    else properties[name] = false;
  }
  return { met: { properties, required: requiredOf(asked).filter((name) => !required.includes(name)) }, unmet };
}

/** The values that a schema lists, and nothing else; null of others. */
function listedValues(schema: SchemaObject | boolean): readonly unknown[] | null {
  if (typeof schema === 'boolean') return schema ? null : [];
  const { type } = schema;
  if (Object.keys(schema).some((keyword) => !['const', 'enum', 'type'].includes(keyword) && !isAnnotation(keyword)))
    return null;
  const values = valuesOf(schema) ?? (type === 'boolean' ? [true, false] : null);
  const types = type === undefined ? null : ([type].flat() as JsonType[]);
  return values?.filter((value) => types === null || hasType(typeOf(value), types)) ?? null;
}

function unsupported({ path }: Condition, why: string): Error {
  return refusal(path, `${why}.`, 'unsupported_parameter');
}
