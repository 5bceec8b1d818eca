import { describe, expect, it } from 'vitest';
import { SchemaGrammar } from './schema-grammar.ts';
import { SchemaRefusedError } from './schema-refused-error.ts';

function refusalOf(schema: unknown): SchemaRefusedError {
  try {
    SchemaGrammar.compile(schema);
  } catch (error) {
    if (error instanceof SchemaRefusedError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(schema)}`);
}

/** Written so, since an object with a `then` looks like a promise. */
const THEN = 'then';
const inProperty = (schema: object) => ({ type: 'object', properties: { a: schema } });
const letters = Object.fromEntries(
  Array.from({ length: 30 }, (_, index) => [`p${index}`, { type: 'string', pattern: `^\\p{L}{1,100}${index}$` }]),
);
let deep: object = { type: 'string' };
for (let level = 0; level < 60; level++) deep = { type: 'array', items: deep };

describe('SchemaGrammar', () => {
  it.each([
    ['not', inProperty({ not: { type: 'string' } }), 'properties.a.not'],
    ['a condition on a text', { type: 'string', if: { minLength: 3 }, [THEN]: { pattern: 'a' } }, 'if'],
    [
      'a condition on what is not listed',
      { properties: { a: { type: 'string' } }, if: { properties: { a: { const: 'x' } } }, [THEN]: { required: ['a'] } },
      'if',
    ],
    [
      'a condition on part of the listed values',
      { properties: { a: { enum: ['x', 'yy'] } }, if: { properties: { a: { enum: ['x', 'yy'], minLength: 2 } } } },
      'if',
    ],
    ['a condition on a number of properties', { type: 'object', if: { minProperties: 1 }, else: false }, 'if'],
    [
      'what follows from a condition',
      {
        properties: { a: { type: 'boolean' } },
        if: { required: ['a'] },
        [THEN]: { properties: { a: { not: { const: 1 } } } },
      },
      'then.properties.a.not',
    ],
    [
      'an unknown keyword that merged schemas have a use for',
      { properties: { a: { type: 'string', conditions: {} } }, allOf: [{ properties: { a: { minLength: 1 } } }] },
      'properties.a.conditions',
    ],
    ['uniqueItems', inProperty({ type: 'array', uniqueItems: true }), 'properties.a.uniqueItems'],
    [
      'uniqueItems of many values',
      { type: 'array', uniqueItems: true, items: { enum: [1, 2, 3, 4, 5, 6, 7, 8, 9] } },
      'uniqueItems',
    ],
    ['contains', { type: 'array', contains: {} }, 'contains'],
    [
      'patternProperties that speak of a declared property',
      { type: 'object', properties: { ab: {} }, patternProperties: { '^a': {} } },
      'patternProperties["^a"]',
    ],
    [
      'patternProperties that another branch closes',
      { allOf: [{ patternProperties: { '^a': {} } }], additionalProperties: false },
      'allOf[0].additionalProperties',
    ],
    ['an unknown format without a pattern', { type: 'string', format: 'nanoid' }, 'format'],
    ['a format that JSON Schema defines', { type: 'string', format: 'regex', pattern: 'a' }, 'format'],
    ['an unknown property of characters', { type: 'string', pattern: '\\p{Nope}' }, 'pattern'],
    ['dependentSchemas', { dependentSchemas: { a: { contains: {} } } }, 'dependentSchemas.a.contains'],
    [
      "a part's own unevaluatedProperties",
      { properties: { a: {} }, allOf: [{ unevaluatedProperties: false }] },
      'allOf[0].unevaluatedProperties',
    ],
    [
      'unevaluatedProperties of a value that a branch speaks of too',
      {
        properties: { a: { properties: { b: {} }, unevaluatedProperties: false } },
        allOf: [{ properties: { a: { properties: { c: {} } } } }],
      },
      'allOf[0].properties.a.unevaluatedProperties',
    ],
    ['oneOf of the same', { oneOf: [{ required: ['a'] }, { required: ['a'] }] }, 'oneOf'],
    ['oneOf of what {} is valid against', { oneOf: [{ properties: { a: {} } }, { properties: { b: {} } }] }, 'oneOf'],
    ['oneOf of one and more', { oneOf: [{ required: ['a'] }, { required: ['a', 'b'] }] }, 'oneOf'],
    ['an unknown keyword', { type: 'string', minLenght: 3 }, 'minLenght'],
    ['an unknown format of numbers', { type: 'integer', format: 'percent' }, 'format'],
    ['a back reference', { type: 'string', pattern: '(a)\\1' }, 'pattern'],
    ['a lookbehind', { type: 'string', pattern: '(?<=b)a' }, 'pattern'],
    ['an anchor in a group', { type: 'string', pattern: '(^a)+b' }, 'pattern'],
    ['a long length', { type: 'string', pattern: '^a', minLength: 600 }, 'minLength'],
    ['a large multipleOf', { type: 'number', multipleOf: 1_001 }, 'multipleOf'],
    ['a multipleOf of many digits', { type: 'number', multipleOf: 0.0001 * 1.5 }, 'multipleOf'],
    ['a multipleOf below zero', { type: 'number', multipleOf: -1 }, 'multipleOf'],
    ['overlapping oneOf', { oneOf: [{ type: 'integer' }, { type: 'number' }] }, 'oneOf'],
    ['a remote $ref', { $ref: 'https://example.com/schema' }, '$ref'],
    ['enum beside minLength', { enum: ['a'], minLength: 3 }, 'minLength'],
    ['many minProperties', { type: 'object', minProperties: 2 }, 'minProperties'],
    [
      'items that another branch has a tuple for',
      { allOf: [{ prefixItems: [{}] }], items: { minimum: 5 } },
      'allOf[0].items',
    ],
    ['a nested $id', inProperty({ $id: 'b', type: 'string' }), 'properties.a.$id'],
  ])('refuses %s as unsupported and names its path', (_, schema, path) => {
    expect(refusalOf(schema)).toMatchObject({ code: 'unsupported_parameter', param: path });
  });

  it.each([
    ['a reference to nowhere', { $ref: '#/$defs/x' }, 'nothing at'],
    ['a reference to itself', { $ref: '#' }, 'itself'],
    ['a part that requires itself', { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }, 'finite'],
    ['empty bounds', { type: 'integer', minimum: 3, maximum: 2 }, 'no number'],
    ['a pattern that nothing fits', { type: 'string', pattern: '^a{3}$', maxLength: 2 }, 'no text'],
    ['a broken pattern', { type: 'string', pattern: '(' }, 'egular expression'],
    ['a condition on properties that are none', { type: 'object', if: { properties: 'a' } }, 'not an object'],
    ['a condition on required that is no array', { type: 'object', if: { required: null } }, 'not an array of strings'],
    ['a condition on required names that are none', { type: 'object', if: { required: ['a', 1] } }, 'array of strings'],
    ['an enum that is no array', { enum: 'a' }, 'not an array'],
    ['a type that is none', { type: 'text' }, 'JSON type'],
    ['required without room', { type: 'object', required: ['a'], additionalProperties: false }, 'required'],
    ['deep nesting', deep, 'nested deeper'],
    ['many enum values', { enum: Array.from({ length: 3_000 }, (_, index) => index) }, 'more than 2048'],
    ['many places for any letter', { type: 'object', properties: letters }, 'grammar states'],
    ['a long schema', { description: 'x'.repeat(200_000) }, 'longer than'],
    ['false', false, 'false'],
    ['false by another name', { not: {} }, 'false'],
    ['branches none of which can be', { anyOf: [false, { not: {} }] }, 'any of its branches'],
    ['too few names', { type: 'object', propertyNames: { enum: [] }, minProperties: 1 }, 'minProperties'],
  ])('refuses %s', (_, schema, words) => {
    expect(refusalOf(schema).message).toContain(words);
  });

  it('takes annotations, x- keywords and unused definitions for harmless', () => {
    const noted = {
      title: 't',
      description: 'd',
      default: 1,
      examples: [1],
      $comment: 'c',
      deprecated: true,
      'x-a': 1,
    };
    expect(() => SchemaGrammar.compile({ $schema: 's', $id: 'i', ...noted, type: 'integer', $defs: {} })).not.toThrow();
  });

  it('takes a null that several branches of oneOf allow for one that none does', () => {
    const oneOf = (...types: readonly (string | string[])[]) => ({ oneOf: types.map((type) => ({ type })) });
    const single = SchemaGrammar.compile(oneOf(['string'], ['integer']));
    expect(SchemaGrammar.compile(oneOf(['string', 'null'], ['integer', 'null']))).toEqual(single);
    expect(SchemaGrammar.compile(oneOf(['string', 'null'], ['integer'], 'null'))).toEqual(single);
    expect(SchemaGrammar.compile(oneOf(['string', 'null'], ['integer']))).not.toEqual(single);
    const unclear = { oneOf: [{ type: ['string', 'null'] }, { type: ['integer', 'null'] }, { const: null }] };
    expect(refusalOf(unclear)).toMatchObject({ code: 'unsupported_parameter', param: 'oneOf' });
  });

  it("reads OpenAPI's nullable beside keywords of a type, beside none, and beside a oneOf of objects", () => {
    const single = SchemaGrammar.compile({ type: ['string', 'null'], maxLength: 5 });
    expect(SchemaGrammar.compile({ maxLength: 5, nullable: true })).toEqual(single);
    expect(SchemaGrammar.compile({ nullable: true })).toEqual(SchemaGrammar.compile({}));
    const oneOf = ['a', 'b'].map((name) => ({ type: 'object', required: [name] }));
    expect(() => SchemaGrammar.compile({ nullable: true, oneOf })).not.toThrow();
  });

  it('makes the same grammar of the same schema', () => {
    const schema = { type: 'object', properties: { a: { $ref: '#' }, b: { enum: ['x', 'y'] } } };
    expect(SchemaGrammar.compile(schema)).toEqual(SchemaGrammar.compile(structuredClone(schema)));
  });
});
