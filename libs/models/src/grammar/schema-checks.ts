import { MergedConditions } from './conditions.ts';
import {
  isAnnotation,
  isEnforced,
  JSON_TYPES,
  type JsonType,
  KEYWORDS_OF_TYPE,
  type SchemaObject,
} from './schema-keywords.ts';
import { type SchemaPath, SchemaRefusedError } from './schema-refused-error.ts';

export function refusal(
  path: SchemaPath,
  message: string,
  code: 'invalid_request' | 'unsupported_parameter' = 'invalid_request',
): SchemaRefusedError {
  return new SchemaRefusedError(code, path, message);
}

/** @throws SchemaRefusedError for a keyword that is not known to be harmless or enforced */
export function checkKeywords(schema: SchemaObject, path: SchemaPath): void {
  if (schema.enum !== undefined && !Array.isArray(schema.enum)) throw refusal([...path, 'enum'], 'it is not an array.');
  const unknown = Object.keys(schema).find(
    (keyword) => !isAnnotation(keyword) && !isEnforced(keyword) && !(schema[keyword] instanceof MergedConditions),
  );
  if (unknown === undefined) return;
  throw refusal([...path, unknown], `"${unknown}" can not be enforced; remove it.`, 'unsupported_parameter');
}

/** What `checkKeywords` says, of a part of a schema. A part with an `$id` would change what references in it mean. */
export function checkPart(schema: SchemaObject, path: SchemaPath): void {
  checkKeywords(schema, path);
  if (schema.$id === undefined) return;
  throw refusal([...path, '$id'], 'a part with an $id of its own is not supported.', 'unsupported_parameter');
}

export function branchesOf(value: unknown, path: SchemaPath): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw refusal(path, 'it is not an array of one or more schemas.');
}

/** The types that a value may have. Without `type`: those that the keywords speak of; without such, all. */
export function typesOf(schema: SchemaObject, path: SchemaPath): readonly JsonType[] {
  if (schema.type === undefined) {
    const spoken = JSON_TYPES.filter((type) =>
      KEYWORDS_OF_TYPE[type]?.some((keyword) => schema[keyword] !== undefined),
    );
    if (spoken.length === 0) return JSON_TYPES;
    return schema.nullable === true ? [...new Set([...spoken, 'null' as const])] : spoken;
  }
  const types = [schema.type].flat();
  if (types.length === 0 || !types.every((type) => JSON_TYPES.some((known) => known === type))) {
    throw refusal([...path, 'type'], `${JSON.stringify(schema.type)} is not a JSON type.`);
  }
  return [...new Set(schema.nullable === true ? [...types, 'null'] : types)] as JsonType[];
}

export function numberAt(schema: SchemaObject, keyword: string, path: SchemaPath): number | null {
  const value = schema[keyword];
  if (value === undefined) return null;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw refusal([...path, keyword], 'it is not a number.');
  return value;
}

export function countAt(schema: SchemaObject, keyword: string, path: SchemaPath): number | null {
  const value = numberAt(schema, keyword, path);
  if (value !== null && (!Number.isInteger(value) || value < 0))
    throw refusal([...path, keyword], 'it is not a whole number of 0 or more.');
  return value;
}
