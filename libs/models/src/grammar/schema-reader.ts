import { mergeSchemas } from './merge-schemas.ts';
import { branchesOf, checkPart, refusal } from './schema-checks.ts';
import {
  canonicalJson,
  hasType,
  isAnnotation,
  isNever,
  isSchemaObject,
  JSON_TYPES,
  type JsonType,
  type SchemaObject,
  typeOf,
} from './schema-keywords.ts';
import { type SchemaPath, SchemaRefusedError } from './schema-refused-error.ts';

/** Most $refs followed before one is found that leads to no $ref. */
const MAX_REF_HOPS = 32;

/** Follows references within one schema document and compares its parts. */
export class SchemaReader {
  readonly #document: unknown;

  constructor(document: unknown) {
    this.#document = document;
  }

  /** @throws SchemaRefusedError for a reference that leaves the document or leads nowhere */
  resolve(reference: unknown, path: SchemaPath): unknown {
    if (typeof reference !== 'string' || !/^#(\/|$)/.test(reference)) {
      throw new SchemaRefusedError(
        'unsupported_parameter',
        [...path, '$ref'],
        `${JSON.stringify(reference)} is not supported; refer to a part of this schema, as in "#/$defs/name".`,
      );
    }
    let target: unknown = this.#document;
    for (const part of reference.split('/').slice(1)) {
      const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
      const known = typeof target === 'object' && target !== null && Object.hasOwn(target, key);
      if (!known) {
        throw new SchemaRefusedError('invalid_request', [...path, '$ref'], `there is nothing at "${reference}".`);
      }
      target = (target as Record<string, unknown>)[key];
    }
    return target;
  }

  /** The schema itself, or what its $ref leads to; what stands beside the $ref holds too. */
  dereference(schema: unknown, path: SchemaPath): SchemaObject | boolean {
    let current = schema;
    for (let hops = 0; hops < MAX_REF_HOPS; hops++) {
      if (isNever(current)) return false;
      if (current === true) return current;
      if (!isSchemaObject(current)) {
        throw new SchemaRefusedError('invalid_request', path, 'it is neither an object nor true or false.');
      }
      const { $ref, ...siblings } = current;
      if ($ref === undefined) return current;
      const target = this.resolve($ref, path);
      const alone = Object.keys(siblings).every(isAnnotation);
      if (!alone && !isSchemaObject(target)) {
        throw new SchemaRefusedError('unsupported_parameter', [...path, '$ref'], 'it stands beside other keywords.');
      }
      current = alone ? target : mergeSchemas(siblings, target as SchemaObject, path);
    }
    throw new SchemaRefusedError('invalid_request', [...path, '$ref'], 'it leads in a circle.');
  }

  /** What `dereference` gives, with the parts of its `allOf` in it. */
  withAllOf(schema: unknown, path: SchemaPath): SchemaObject | boolean {
    const whole = this.dereference(schema, path);
    return typeof whole === 'boolean' || whole.allOf === undefined ? whole : this.merged(whole, path);
  }

  /** The schema with the parts of its `allOf` in it. */
  merged(whole: SchemaObject, path: SchemaPath): SchemaObject {
    const rest: SchemaObject = Object.fromEntries(Object.entries(whole).filter(([keyword]) => keyword !== 'allOf'));
    const parts = branchesOf(whole.allOf, [...path, 'allOf']);
    return parts.reduce<SchemaObject>((merged, part, index) => {
      const partPath = [...path, 'allOf', index];
      const target = this.dereference(part, partPath);
      if (target === true) return merged;
      if (target === false) throw refusal(partPath, 'no value is valid against false.');
      checkPart(target, partPath);
      return mergeSchemas(merged, target, partPath);
    }, rest);
  }

  /** Whether it is certain that no document is valid against both. */
  areDisjoint(a: unknown, b: unknown, path: SchemaPath, depth = 0): boolean {
    const left = this.dereference(a, path);
    const right = this.dereference(b, path);
    if (left === false || right === false) return true;
    if (left === true || right === true || depth > 4) return false;
    const [values, others] = [valuesOf(left), valuesOf(right)];
    if (values !== null && others !== null) {
      const texts = new Set(values.map(canonicalJson));
      return !others.some((value) => texts.has(canonicalJson(value)));
    }
    const [types, otherTypes] = [possibleTypes(left), possibleTypes(right)];
    const shared = types.filter(
      (type) => hasType(type, otherTypes) || otherTypes.some((other) => hasType(other, [type])),
    );
    if (shared.length === 0) return true;
    return shared.every((type) => type === 'object') && this.#differInProperty(left, right, path, depth);
  }

  /** A property that both require, with values that can not be the same, tells two objects apart. */
  #differInProperty(a: SchemaObject, b: SchemaObject, path: SchemaPath, depth: number): boolean {
    const { properties: left, required } = a;
    const { properties: right, required: alsoRequired } = b;
    if (!isSchemaObject(left) || !isSchemaObject(right) || !Array.isArray(required) || !Array.isArray(alsoRequired)) {
      return false;
    }
    return required.some(
      (name: string) =>
        alsoRequired.includes(name) &&
        Object.hasOwn(left, name) &&
        Object.hasOwn(right, name) &&
        this.areDisjoint(left[name], right[name], path, depth + 1),
    );
  }
}

/** The values that `const` and `enum` leave; null when neither stands there. */
export function valuesOf(schema: SchemaObject): readonly unknown[] | null {
  const listed = Array.isArray(schema.enum) ? (schema.enum as unknown[]) : null;
  if (!Object.hasOwn(schema, 'const')) return listed;
  const text = canonicalJson(schema.const);
  return listed === null || listed.some((value) => canonicalJson(value) === text) ? [schema.const] : [];
}

/** The types that a valid value may have, whatever the grammar writes. */
export function possibleTypes(schema: SchemaObject): readonly JsonType[] {
  const values = valuesOf(schema);
  if (values !== null) return values.map(typeOf);
  const types = schema.type === undefined ? JSON_TYPES : ([schema.type].flat() as JsonType[]);
  return schema.nullable === true ? [...types, 'null'] : types;
}

/** The names that a schema requires. */
export function requiredOf({ required }: SchemaObject): readonly string[] {
  return Array.isArray(required) ? required.filter((name): name is string => typeof name === 'string') : [];
}

/** Whether no valid object holds the property. */
export function mayNotHold(
  { properties, patternProperties, additionalProperties }: SchemaObject,
  name: string,
): boolean {
  if (isSchemaObject(properties) && Object.hasOwn(properties, name)) return isNever(properties[name]);
  return isNever(additionalProperties) && patternProperties === undefined;
}

/** Whether an object would have to hold a property that none may hold. */
export function requiresWhatMayNotBe(schema: SchemaObject): boolean {
  return schema.type === 'object' && requiredOf(schema).some((name) => mayNotHold(schema, name));
}
