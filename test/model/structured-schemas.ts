import fc from 'fast-check';

type Schema = boolean | { readonly [keyword: string]: unknown };

/** Written so, since an object with a `then` looks like a promise. */
const THEN = 'then';

/** One or more schemas for every keyword that is enforced. */
export const KEYWORD_SCHEMAS: readonly Schema[] = [
  true,
  {},
  { type: 'object' },
  { type: 'array' },
  { type: ['string', 'null'] },
  { type: 'string', nullable: true },
  { properties: { a: { type: 'integer' } } },
  { type: 'integer', minimum: -5, maximum: 1234 },
  { type: 'integer', exclusiveMinimum: 0 },
  { type: 'integer', minimum: 95, exclusiveMaximum: 105 },
  { type: 'number', minimum: 0, maximum: 1 },
  { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
  { type: 'number', minimum: -1.25, maximum: 3.75 },
  { type: 'number', exclusiveMaximum: -2.5 },
  { type: 'number', minimum: 10.5 },
  { type: 'integer', multipleOf: 5 },
  { type: 'integer', multipleOf: 25, minimum: 100 },
  { type: 'integer', multipleOf: 7 },
  { type: 'integer', multipleOf: 12, minimum: -9_007_199_254_740_991, maximum: 9_007_199_254_740_991 },
  { type: 'number', multipleOf: 3, minimum: 10, maximum: 20 },
  { type: 'integer', multipleOf: 360, exclusiveMinimum: 0 },
  { type: 'integer', multipleOf: 1_000 },
  { type: 'integer', multipleOf: 997 },
  { type: 'number', multipleOf: 0.5 },
  { type: 'number', multipleOf: 0.25, minimum: -1, maximum: 2.5 },
  { type: 'number', multipleOf: 2.5, exclusiveMinimum: 0 },
  { type: 'number', minimum: -3.4028234663852886e38, maximum: 3.4028234663852886e38 },
  { type: 'integer', format: 'uint8' },
  { type: 'integer', format: 'uint64', maximum: 2 ** 64 },
  { type: 'string', minLength: 3, maxLength: 6 },
  { type: 'string', maxLength: 0 },
  { type: 'string', format: 'nanoid', pattern: '^[a-zA-Z0-9_-]{21}$' },
  { type: 'string', contentEncoding: 'base64', pattern: '^(?:[0-9a-zA-Z+/]{4}){1,2}$' },
  { type: 'string', pattern: '^\\p{Lu}\\p{Ll}{2}[^\\P{Nd}0-9]$' },
  { type: 'string', allOf: [{ pattern: 'a' }, { pattern: '^b' }, { pattern: 'c$' }], maxLength: 9 },
  { type: 'string', pattern: '^[A-Z]{2}-\\d{3,5}$' },
  { type: 'string', pattern: '\\s' },
  { type: 'string', minLength: 70, maxLength: 80 },
  { type: 'string', format: 'email', maxLength: 12 },
  { type: 'integer', format: 'int32' },
  { type: 'number', format: 'int32', minimum: 2_000_000_000 },
  { type: 'integer', format: 'int64', maximum: 5 },
  { type: 'number', format: 'double' },
  { type: 'string', format: 'email', minLength: 8, maxLength: 254 },
  { type: 'string', pattern: '^(ab|cde)*(fgh)+$', maxLength: 9 },
  { type: 'string', pattern: '^(?!ad)[a-z]+$', maxLength: 10 },
  { type: 'string', pattern: '^[^"\\\\]{1,9}$' },
  { type: 'string', pattern: '^[é-ü\u4e00-\u9fff😀]{1,4}$' },
  ...[
    ...['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'uuid', 'ipv4', 'ipv6', 'uri', 'uri-reference'],
    ...['uri-template', 'json-pointer', 'relative-json-pointer', 'byte', 'password'],
  ].map((format) => ({ type: 'string', format })),
  { type: 'string', format: 'uuid', allOf: [{ pattern: '^.{14}4.{4}[89ab]' }] },
  { enum: ['a"b\\c\n', 1, null, { x: [1] }, 'ünï', '='] },
  { type: 'string', enum: ['=', '>', '<', '<=', '>=', '!='] },
  { const: { a: [true, 'x'] } },
  { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 4 },
  { type: 'array', items: { type: 'boolean' }, minItems: 3 },
  { type: 'array', items: [{ type: 'integer' }, { type: 'string' }], minItems: 1 },
  { type: 'array', items: [{ type: 'null' }], additionalItems: { type: 'boolean' }, minItems: 3 },
  { type: 'array', items: { type: 'null' }, minItems: 3, maxItems: 2_000 },
  { type: 'array', items: { type: 'array', items: { type: 'boolean' }, maxItems: 2 }, minItems: 2, maxItems: 3 },
  { type: 'array', prefixItems: [{ type: 'null' }], unevaluatedItems: { type: 'boolean' }, minItems: 3 },
  { type: 'array', maxItems: 0 },
  { type: 'array', maxItems: 1, uniqueItems: true },
  { type: 'array', items: { enum: ['a', 'b', 1, 'c"', null, 'ü'] }, uniqueItems: true },
  {
    type: 'array',
    items: { $ref: '#/$defs/c' },
    uniqueItems: true,
    minItems: 2,
    maxItems: 3,
    $defs: { c: { enum: ['x', 'xy', 'z'] } },
  },
  { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'null' }, c: { type: 'null' } }, required: ['b'] },
  { type: 'object', properties: { '=': { type: 'null' }, '<': { type: 'null' }, '<=': { type: 'null' } } },
  { type: 'object', additionalProperties: { type: 'integer' } },
  { type: 'object', properties: { ab: { type: 'null' } }, additionalProperties: { type: 'boolean' } },
  { type: 'object', required: ['free'], additionalProperties: { type: 'integer' } },
  {
    type: 'object',
    propertyNames: { pattern: '^[a-z]+$' },
    additionalProperties: { type: 'null' },
    minProperties: 1,
    maxProperties: 3,
  },
  {
    type: 'object',
    patternProperties: { '^a': { type: 'integer' }, b$: { type: 'null' } },
    additionalProperties: false,
  },
  {
    type: 'object',
    properties: { id: { type: 'boolean' } },
    patternProperties: { '^x_[a-z]{1,3}$': { type: 'integer' }, '^z': { not: {} } },
    additionalProperties: { type: 'null' },
    required: ['x_a'],
  },
  {
    type: 'object',
    propertyNames: { enum: ['a', 'b'] },
    additionalProperties: { type: 'integer' },
    required: ['a', 'b'],
  },
  { type: 'object', properties: { a: { type: 'null' }, b: { not: {} } }, additionalProperties: { not: {} } },
  { anyOf: [{ type: 'integer', maximum: 5 }, { not: {} }, false] },
  { oneOf: [{ type: 'string' }, { type: 'integer' }] },
  {
    type: 'object',
    properties: { id: { type: 'integer' }, owner: { type: 'null' }, repo: { type: 'null' }, note: { type: 'null' } },
    oneOf: [{ required: ['id'] }, { required: ['owner', 'repo'] }],
  },
  {
    oneOf: [
      { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'null' } }, required: ['a'] },
      { allOf: [{ type: 'object', properties: { b: { type: 'null' } } }, { required: ['b'] }] },
      {
        type: 'object',
        properties: { b: { type: 'null' }, c: { type: 'null' } },
        required: ['c'],
        additionalProperties: false,
      },
    ],
  },
  {
    type: 'object',
    additionalProperties: false,
    properties: { kind: { enum: ['x', 'y'] }, id: { type: 'integer' }, name: { type: 'boolean' } },
    required: ['kind'],
    oneOf: [{ required: ['id'] }, { required: ['name'] }],
  },
  {
    type: 'object',
    properties: { kind: { enum: ['a', 'b', 'c'] }, n: { type: 'integer' }, s: { type: 'null' } },
    required: ['kind'],
    allOf: [
      { if: { properties: { kind: { const: 'a' } } }, [THEN]: { required: ['n'] }, else: { required: ['s'] } },
      { if: { properties: { kind: { enum: ['b', 'z'] } } }, [THEN]: { properties: { s: false, n: { minimum: 5 } } } },
    ],
  },
  {
    type: 'object',
    properties: { on: { type: 'boolean' }, n: { type: 'integer' }, m: { type: 'null' } },
    if: { properties: { on: { const: true } }, required: ['on'] },
    [THEN]: { required: ['n'] },
    else: { properties: { n: false } },
  },
  {
    type: 'object',
    properties: { a: { type: 'null' }, b: { type: 'null' }, c: { type: 'null' }, d: { type: 'null' } },
    dependentRequired: { a: ['b'], b: ['c', 'd'] },
    anyOf: [{ required: ['a'] }, { required: ['c'] }],
  },
  {
    type: 'object',
    properties: { a: { type: 'integer' }, b: { type: 'integer' }, c: { type: 'boolean' } },
    dependencies: { a: ['b'], c: { properties: { b: { maximum: -1 } } } },
  },
  {
    type: 'object',
    properties: Object.fromEntries([...'abcde'].map((name) => [name, { type: 'null' }])),
    anyOf: [{ required: ['c'] }, { required: ['d'] }],
    allOf: [{ anyOf: [{ required: ['c'] }, { required: ['e'] }] }],
    oneOf: [{ required: ['a'] }, { required: ['b'] }],
  },
  {
    allOf: [{ type: 'object', properties: { a: { type: 'integer' } } }],
    properties: { b: { type: 'null' } },
    unevaluatedProperties: false,
  },
  { type: 'object', properties: { a: { type: 'integer' } }, unevaluatedProperties: { type: 'null' } },
  {
    oneOf: ['a', 'b'].map((kind) => ({
      type: 'object',
      properties: { kind: { const: kind }, [kind]: { type: 'integer' } },
      required: ['kind', kind],
      additionalProperties: false,
    })),
  },
  {
    anyOf: [
      { type: 'integer', minimum: 5 },
      { type: 'array', items: { type: 'null' } },
    ],
  },
  { allOf: [{ type: 'object', properties: { a: { type: 'integer' } } }, { required: ['a'] }] },
  { allOf: [{ type: 'integer', minimum: 3 }, { maximum: 8 }] },
  {
    type: 'object',
    properties: { value: { type: 'number' }, next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
    required: ['value', 'next'],
  },
  { $ref: '#/definitions/a~1b', definitions: { 'a/b': { type: 'array', items: { $ref: '#/definitions/a~1b' } } } },
];

const name = fc.constantFrom('a', 'ab', 'abc', 'id', 'x y', 'ü', '"', '\\', '=', '<', '<=', '0');
const names = fc.uniqueArray(name, { maxLength: 4 });
const someNames = fc.uniqueArray(name, { minLength: 1, maxLength: 4 });
const count = fc.integer({ min: 0, max: 4 });

/** Random schemas of enforced keywords, nested a few levels deep. */
export const anySchema: fc.Arbitrary<Schema> = fc
  .letrec<{ schema: Schema; leaf: Schema }>((tie) => ({
    leaf: fc.oneof(
      fc.constantFrom<Schema>({ type: 'boolean' }, { type: 'null' }, { type: 'string' }, { type: 'number' }, true),
      fc.tuple(count, count).map(([least, more]) => ({ type: 'string', minLength: least, maxLength: least + more })),
      fc
        .tuple(fc.integer({ min: -500, max: 500 }), fc.nat(2_000))
        .map(([least, more]) => ({ type: 'integer', minimum: least, maximum: least + more })),
      fc
        .tuple(fc.integer({ min: -5_000, max: 5_000 }), fc.integer({ min: 1, max: 9_000 }), fc.boolean())
        .map(([least, more, exclusive]) => ({
          type: 'number',
          [exclusive ? 'exclusiveMinimum' : 'minimum']: least / 100,
          [exclusive ? 'exclusiveMaximum' : 'maximum']: (least + more) / 100,
        })),
      fc
        .uniqueArray(fc.oneof(fc.string({ maxLength: 4 }), fc.integer(), fc.boolean()), { minLength: 1, maxLength: 6 })
        .map((values) => ({ enum: values })),
      fc.constantFrom<Schema>(
        { type: 'string', format: 'date' },
        { type: 'string', format: 'uuid' },
        { type: 'string', pattern: '^[a-c]+(-[0-9]{2})?$' },
        { type: 'string', pattern: '[aeiou]{2}', maxLength: 12 },
        { $ref: '#/$defs/shared' },
      ),
    ),
    schema: fc.oneof(
      { maxDepth: 3, depthIdentifier: 'schema' },
      tie('leaf'),
      fc
        .tuple(names, fc.array(tie('schema'), { minLength: 4, maxLength: 4 }), fc.nat(15), fc.boolean())
        .map(([keys, schemas, required, closed]) => ({
          type: 'object',
          properties: Object.fromEntries(keys.map((key, index) => [key, schemas[index]])),
          required: keys.filter((_, index) => (required >> index) & 1),
          ...(closed ? { additionalProperties: false } : {}),
        })),
      tie('schema').map((items) => ({ type: 'array', items })),
      fc
        .tuple(tie('schema'), count, count)
        .map(([items, least, more]) => ({ type: 'array', items, minItems: least, maxItems: least + more })),
      tie('schema').map((additionalProperties) => ({ type: 'object', additionalProperties })),
      fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
      tie('schema').map((schema) => ({ allOf: [schema] })),
      fc
        .tuple(
          someNames,
          fc.array(tie('schema'), { minLength: 4, maxLength: 4 }),
          fc.array(fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.integer({ min: 0, max: 4 })), { maxLength: 3 }),
        )
        .map(([keys, schemas, conditions]) => {
          const nameAt = (index: number) => keys[index % keys.length];
          const kinds = ['u', 'v', 'w'];
          return {
            type: 'object',
            properties: {
              ...Object.fromEntries(keys.map((key, index) => [key, schemas[index]])),
              kind: { enum: kinds },
            },
            allOf: conditions.map(([asked, needed, other, way]) => {
              if (way === 0) return { dependentRequired: { [nameAt(asked)]: [nameAt(needed)] } };
              if (way === 1) return { dependentSchemas: { [nameAt(asked)]: { properties: { kind: { const: 'v' } } } } };
              const isKind = { properties: { kind: { enum: kinds.slice(asked % 3) } } };
              return {
                if: way === 2 ? { required: [nameAt(asked)] } : way === 3 ? isKind : { ...isKind, required: ['kind'] },
                [THEN]: { required: [nameAt(needed)] },
                else: { required: [nameAt(other), 'kind'] },
              };
            }),
          };
        })
        .map((schema) => (schema.allOf.length === 0 ? { type: 'object' } : schema)),
      fc
        .tuple(someNames, fc.array(tie('schema'), { minLength: 4, maxLength: 4 }), fc.nat(15), fc.boolean())
        .map(([keys, schemas, declared, beside]) => {
          const properties = Object.fromEntries(keys.map((key, index) => [key, schemas[index]]));
          const oneOf = keys.slice(0, 3).map((key, index) => ({
            required: [key],
            ...(beside ? {} : { properties }),
            ...((declared >> index) & 1 ? { type: 'object' } : {}),
          }));
          return { type: 'object', ...(beside ? { properties } : {}), oneOf };
        }),
    ),
  }))
  .schema.filter((schema) => typeof schema === 'object')
  .map((schema) => ({
    ...(schema as object),
    $defs: { shared: { type: 'object', properties: { again: { $ref: '#/$defs/shared' }, n: { type: 'integer' } } } },
  }));
