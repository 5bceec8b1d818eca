/** A JSON schema that is an object; its keywords are not checked yet. */
export type SchemaObject = Readonly<Record<string, unknown>>;

export type JsonType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object';

export const JSON_TYPES: readonly JsonType[] = ['null', 'boolean', 'number', 'integer', 'string', 'array', 'object'];

/** Keywords that say nothing about which documents are valid. Those that begin with `x-` are taken for such too. */
const ANNOTATIONS = new Set([
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'example',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'contentEncoding',
  'contentMediaType',
  'contentSchema',
  // OpenAPI's: a hint by which property the branches of a oneOf are told apart, and what is for readers.
  'discriminator',
  'externalDocs',
]);

/** Keywords that are enforced, by the type of value they speak of. */
export const KEYWORDS_OF_TYPE: Readonly<Partial<Record<JsonType, readonly string[]>>> = {
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  array: ['items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems', 'uniqueItems', 'unevaluatedItems'],
  object: [
    'properties',
    'required',
    'additionalProperties',
    'patternProperties',
    'propertyNames',
    'minProperties',
    'maxProperties',
    'unevaluatedProperties',
    'dependentRequired',
    'dependentSchemas',
    'dependencies',
  ],
};

const GENERAL = ['type', 'enum', 'const', '$ref', 'allOf', 'anyOf', 'oneOf', 'nullable', 'if', 'then', 'else'];
const ENFORCED = new Set([...GENERAL, ...Object.values(KEYWORDS_OF_TYPE).flat()]);

export function isAnnotation(keyword: string): boolean {
  return ANNOTATIONS.has(keyword) || keyword.startsWith('x-');
}

export function isEnforced(keyword: string): boolean {
  return ENFORCED.has(keyword);
}

export function isSchemaObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether it is written to say that no value is valid: `false`, or `{"not": {}}`. */
export function isNever(schema: unknown): boolean {
  if (!isSchemaObject(schema)) return schema === false;
  const { not } = schema;
  return not === true || (isSchemaObject(not) && Object.keys(not).every(isAnnotation));
}

/** The type of a JSON value; whole numbers are integers. */
export function typeOf(value: unknown): JsonType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  if (typeof value === 'boolean' || typeof value === 'string') return typeof value as 'boolean' | 'string';
  return 'object';
}

/** Whether a value of `type` has one of `types`. */
export function hasType(type: JsonType, types: readonly JsonType[]): boolean {
  return types.includes(type) || (type === 'integer' && types.includes('number'));
}

/** JSON with sorted keys: equal texts for equal values. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isSchemaObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}
