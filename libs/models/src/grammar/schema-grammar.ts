import { choice, type Expression, GrammarRules, optional, rule, sequence, text, WRITABLE } from './grammar-rules.ts';
import { mergeSchemas } from './merge-schemas.ts';
import { automatonOf } from './regular/automaton.ts';
import { FORMATS } from './regular/formats.ts';
import { type Bound, NumberLanguages } from './regular/number-language.ts';
import { parsePattern } from './regular/parse-pattern.ts';
import { PatternError } from './regular/pattern-error.ts';
import { type Language, Languages } from './regular/regular-language.ts';
import {
  hasType,
  isAnnotation,
  isEnforced,
  isSchemaObject,
  JSON_TYPES,
  type JsonType,
  KEYWORDS_OF_TYPE,
  type SchemaObject,
  typeOf,
} from './schema-keywords.ts';
import { SchemaReader, valuesOf } from './schema-reader.ts';
import { type SchemaPath, SchemaRefusedError } from './schema-refused-error.ts';

/** Bounds of a schema. Each state of a string costs up to 12 ms when the grammar meets a vocabulary of 50,000 tokens. */
const MAX_SCHEMA_CHARACTERS = 131_072;
const MAX_DEPTH = 48;
const MAX_SCHEMAS = 4_096;
const MAX_ENUM_VALUES = 2_048;
const MAX_ITEMS_BOUND = 512;
const MAX_LENGTH_BOUND = 256;
const MAX_STATES = 512;
const MAX_ENUM_STATES = 4_096;
const MAX_RULES = 8_192;
const MAX_PATTERN_CHARACTERS = 512;

const COMMA = text(',');
const SPACE = optional(text(' '));

/**
 * Translates a JSON schema into a grammar of which every document is valid against the schema. What it has no rule for
 * it refuses; so nothing is ever left out silently. Documents are compact JSON, with at most one space behind a comma or
 * colon, properties in the order of the schema, and strings with short escapes only.
 *
 * It may be narrower than the schema: without `additionalProperties` no properties beyond those of `properties` are
 * written, and without `type` only values of the types that the other keywords speak of.
 */
export class SchemaGrammar {
  readonly #rules = new GrammarRules();
  readonly #languages = new Languages();
  readonly #numbers = new NumberLanguages(this.#languages);
  readonly #reader: SchemaReader;
  /** Rules of what references lead to. */
  readonly #references = new Map<string, string>();
  readonly #shared = new Map<string, Expression>();
  /** References that were followed since the last character was written. */
  readonly #open = new Set<string>();
  #schemas = 0;
  #enumValues = 0;

  private constructor(document: unknown) {
    this.#reader = new SchemaReader(document);
  }

  /**
   * @returns an EBNF grammar as xgrammar reads it, with the root rule `root`
   * @throws SchemaRefusedError with the path and keyword at fault
   */
  static ebnfOf(document: unknown): string {
    if (JSON.stringify(document).length > MAX_SCHEMA_CHARACTERS) {
      throw new SchemaRefusedError('invalid_request', [], `it is longer than ${MAX_SCHEMA_CHARACTERS} characters.`);
    }
    const grammar = new SchemaGrammar(document);
    const root = grammar.#value(document, [], 0);
    if (!grammar.#rules.isProductive(root)) {
      throw new SchemaRefusedError('invalid_request', [], 'no finite document is valid: a required part holds itself.');
    }
    return grammar.#rules.print(root);
  }

  #value(schema: unknown, path: SchemaPath, depth: number): Expression {
    this.#schemas += 1;
    if (depth > MAX_DEPTH) throw refusal(path, `it is nested deeper than ${MAX_DEPTH} levels.`);
    if (this.#schemas > MAX_SCHEMAS) throw refusal(path, `the schema has more than ${MAX_SCHEMAS} parts.`);
    if (this.#rules.size > MAX_RULES) throw refusal(path, `the schema needs more than ${MAX_RULES} grammar rules.`);
    if (schema === true) return this.#anyValue();
    if (schema === false) throw refusal(path, 'no value is valid against false.');
    if (!isSchemaObject(schema)) throw refusal(path, 'it is neither an object nor true or false.');
    checkKeywords(schema, path);
    if (schema.$ref !== undefined) return this.#reference(schema, path, depth);
    const combined = this.#combined(schema, path, depth);
    if (combined !== null) return combined;
    const values = valuesOf(schema);
    return values === null ? this.#typed(schema, path, depth) : this.#literals(values, schema, path);
  }

  #reference(schema: SchemaObject, path: SchemaPath, depth: number): Expression {
    const { $ref, ...siblings } = schema;
    if (!Object.keys(siblings).every(isAnnotation)) {
      return this.#value(this.#reader.dereference(schema, path), path, depth + 1);
    }
    const target = this.#reader.resolve($ref, path);
    const key = String($ref);
    if (this.#open.has(key)) throw refusal([...path, '$ref'], `"${key}" leads to itself without writing anything.`);
    const known = this.#references.get(key);
    if (known !== undefined) return rule(known);
    const name = this.#rules.name();
    this.#references.set(key, name);
    this.#open.add(key);
    const expression = this.#value(target, path, depth + 1);
    this.#open.delete(key);
    return this.#rules.define(name, expression);
  }

  /** Runs `inner` behind a character of its own, where references may lead back. */
  #behindCharacter<Result>(inner: () => Result): Result {
    const open = [...this.#open];
    this.#open.clear();
    const result = inner();
    for (const key of open) this.#open.add(key);
    return result;
  }

  #combined(schema: SchemaObject, path: SchemaPath, depth: number): Expression | null {
    const { allOf, anyOf, oneOf, ...base } = schema;
    if (allOf === undefined && anyOf === undefined && oneOf === undefined) return null;
    if (allOf !== undefined) {
      const parts = branchesOf(allOf, [...path, 'allOf']);
      const rest: SchemaObject = Object.fromEntries(Object.entries(schema).filter(([keyword]) => keyword !== 'allOf'));
      const merged = parts.reduce<SchemaObject>((whole, part, index) => {
        const partPath = [...path, 'allOf', index];
        const target = this.#reader.dereference(part, partPath);
        if (target === true) return whole;
        if (target === false) throw refusal(partPath, 'no value is valid against false.');
        checkKeywords(target, partPath);
        return mergeSchemas(whole, target, partPath);
      }, rest);
      return this.#value(merged, path, depth + 1);
    }
    if (anyOf !== undefined && oneOf !== undefined) {
      throw refusal([...path, 'oneOf'], '"oneOf" beside "anyOf" is not supported.', 'unsupported_parameter');
    }
    const keyword = anyOf === undefined ? 'oneOf' : 'anyOf';
    const branches = branchesOf(anyOf ?? oneOf, [...path, keyword]);
    if (keyword === 'oneOf') this.#checkDisjoint(branches, [...path, keyword]);
    const bare = Object.keys(base).every(isAnnotation);
    return this.#alternatives(
      branches.map((branch, index) => {
        const branchPath = [...path, keyword, index];
        if (bare) return this.#value(branch, branchPath, depth + 1);
        const target = this.#reader.dereference(branch, branchPath);
        if (target === true) return this.#value(base, branchPath, depth + 1);
        if (target === false) throw refusal(branchPath, 'no value is valid against false.');
        checkKeywords(target, branchPath);
        return this.#value(mergeSchemas(base, target, branchPath), branchPath, depth + 1);
      }),
    );
  }

  /** Each has a rule of its own, so that none share a prefix of their text. */
  #alternatives(parts: readonly Expression[]): Expression {
    return parts.length === 1 ? parts[0] : choice(...parts.map((part) => this.#rules.add(part)));
  }

  #checkDisjoint(branches: readonly unknown[], path: SchemaPath): void {
    if (branches.length > 64) throw refusal(path, '"oneOf" with more than 64 branches is not supported; use "anyOf".');
    for (let first = 0; first < branches.length; first++) {
      for (let second = first + 1; second < branches.length; second++) {
        if (this.#reader.areDisjoint(branches[first], branches[second], path)) continue;
        throw refusal(
          path,
          `branches ${first} and ${second} may both be valid, which "oneOf" forbids; use "anyOf", or tell them apart by type or by a required property with a const.`,
          'unsupported_parameter',
        );
      }
    }
  }

  #literals(values: readonly unknown[], schema: SchemaObject, path: SchemaPath): Expression {
    const types = schema.type === undefined ? JSON_TYPES : typesOf(schema, path);
    const fitting = values.filter((value) => hasType(typeOf(value), types));
    this.#enumValues += fitting.length;
    if (this.#enumValues > MAX_ENUM_VALUES) throw refusal([...path, 'enum'], `more than ${MAX_ENUM_VALUES} values.`);
    if (fitting.length === 0) throw refusal(path, 'none of its values is valid.');
    for (const type of new Set(fitting.map(typeOf))) {
      const other = KEYWORDS_OF_TYPE[type === 'integer' ? 'number' : type]?.find(
        (keyword) => schema[keyword] !== undefined,
      );
      if (other === undefined) continue;
      throw refusal([...path, other], `"${other}" beside enum or const is not supported.`, 'unsupported_parameter');
    }
    if (fitting.length === 1) return text(JSON.stringify(fitting[0]));
    const language = this.#languages.either(...fitting.map((value) => this.#languages.text(JSON.stringify(value))));
    const automaton = automatonOf(this.#languages, language, MAX_ENUM_STATES);
    if (automaton === null) throw refusal([...path, 'enum'], 'its values are too long taken together.');
    return this.#cached(`values ${language.id}`, () => this.#rules.addPlain(automaton));
  }

  #typed(schema: SchemaObject, path: SchemaPath, depth: number): Expression {
    const types = typesOf(schema, path);
    if (types === JSON_TYPES) return this.#anyValue();
    const parts = types
      .filter((type) => type !== 'integer' || !types.includes('number'))
      .map((type) => this.#ofType(type, schema, path, depth));
    if (parts.length === 0) throw refusal([...path, 'type'], 'no type is left.');
    return choice(...parts);
  }

  #ofType(type: JsonType, schema: SchemaObject, path: SchemaPath, depth: number): Expression {
    switch (type) {
      case 'null':
        return text('null');
      case 'boolean':
        return choice(text('true'), text('false'));
      case 'integer':
      case 'number':
        return this.#number(type, schema, path);
      case 'string':
        return this.#string(this.#stringLanguage(schema, path), path);
      case 'array':
        return this.#behindCharacter(() => this.#array(schema, path, depth));
      case 'object':
        return this.#behindCharacter(() => this.#object(schema, path, depth));
    }
  }

  #number(type: 'integer' | 'number', schema: SchemaObject, path: SchemaPath): Expression {
    const least = boundOf(schema, 'minimum', 'exclusiveMinimum', Math.max, path);
    const most = boundOf(schema, 'maximum', 'exclusiveMaximum', Math.min, path);
    const divisor = numberAt(schema, 'multipleOf', path);
    const whole = type === 'integer' || (divisor !== null && Number.isInteger(divisor));
    for (const bound of [least, most]) {
      if (!whole || bound === null || Number.isSafeInteger(Math.trunc(bound.value))) continue;
      throw refusal(
        path,
        `${bound.value} is a bound beyond the whole numbers that a double holds.`,
        'unsupported_parameter',
      );
    }
    let language: Language | null;
    if (whole) {
      language = this.#numbers.integers(wholeBound(least, 1), wholeBound(most, -1));
    } else {
      language = least === null && most === null ? this.#numbers.any() : this.#numbers.between(least, most);
    }
    if (language === null) {
      const keyword = ['minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum'].find(
        (name) => schema[name] !== undefined,
      );
      throw refusal(
        [...path, keyword ?? 'type'],
        'the bound has more digits than can be enforced; round it.',
        'unsupported_parameter',
      );
    }
    if (divisor !== null && divisor !== 1) {
      const multiples = this.#numbers.multiplesOf(divisor);
      if (multiples === null) {
        throw refusal(
          [...path, 'multipleOf'],
          `${divisor} is not supported; 1, 2, 5, 10, 20, 25, 50, 100 and other divisors of 1,000 are.`,
          'unsupported_parameter',
        );
      }
      language = this.#languages.both(language, multiples);
    }
    return this.#cached(`number ${language.id}`, () => {
      const automaton = automatonOf(this.#languages, language, MAX_STATES);
      if (automaton === null) throw refusal(path, 'its bounds need too many states.', 'unsupported_parameter');
      if (automaton.length === 0) throw refusal(path, 'no number is within its bounds.');
      return this.#rules.addPlain(automaton);
    });
  }

  #stringLanguage(schema: SchemaObject, path: SchemaPath): Language {
    const languages = this.#languages;
    const parts = [languages.star(languages.set(WRITABLE))];
    const minLength = countAt(schema, 'minLength', path) ?? 0;
    const maxLength = countAt(schema, 'maxLength', path);
    for (const [keyword, length] of [
      ['minLength', minLength],
      ['maxLength', maxLength ?? 0],
    ] as const) {
      if (length <= MAX_LENGTH_BOUND) continue;
      throw refusal(
        [...path, keyword],
        `${length} is more than ${MAX_LENGTH_BOUND}, the longest that is enforced.`,
        'unsupported_parameter',
      );
    }
    if (minLength > 0 || maxLength !== null)
      parts.push(languages.repeat(languages.set(WRITABLE), minLength, maxLength));
    if (schema.format !== undefined) {
      const pattern = typeof schema.format === 'string' ? FORMATS[schema.format] : undefined;
      if (pattern === undefined) {
        const known = Object.keys(FORMATS).join(', ');
        throw refusal(
          [...path, 'format'],
          `${JSON.stringify(schema.format)} is not supported; these are: ${known}.`,
          'unsupported_parameter',
        );
      }
      parts.push(parsePattern(languages, pattern));
    }
    if (schema.pattern !== undefined) parts.push(this.#pattern(schema.pattern, [...path, 'pattern']));
    return languages.both(...parts);
  }

  #pattern(pattern: unknown, path: SchemaPath): Language {
    if (typeof pattern !== 'string') throw refusal(path, 'it is not a string.');
    if (pattern.length > MAX_PATTERN_CHARACTERS)
      throw refusal(path, `it is longer than ${MAX_PATTERN_CHARACTERS} characters.`);
    try {
      return parsePattern(this.#languages, pattern);
    } catch (error) {
      if (error instanceof PatternError) throw refusal(path, `${error.message}.`, 'unsupported_parameter');
      throw error;
    }
  }

  #string(language: Language, path: SchemaPath): Expression {
    return this.#cached(`string ${language.id}`, () => {
      const automaton = automatonOf(this.#languages, language, MAX_STATES);
      if (automaton === null)
        throw refusal(path, `its pattern or length needs more than ${MAX_STATES} states.`, 'unsupported_parameter');
      if (automaton.length === 0) throw refusal(path, 'no text fits its pattern, format and length.');
      return this.#rules.add(this.#rules.addString(automaton));
    });
  }

  #array(schema: SchemaObject, path: SchemaPath, depth: number): Expression {
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
    const closed = further === false || (further === undefined && tuple.length > 0 && least <= tuple.length);
    const fixed = tuple
      .slice(0, most ?? tuple.length)
      .map((item, index) => this.#value(item, [...path, tupleKeyword, index], depth + 1));
    const limit = closed ? Math.min(most ?? fixed.length, fixed.length) : most;
    if (limit !== null && least > limit)
      throw refusal([...path, 'minItems'], `${least} is more than the ${limit} that it may have.`);
    if (limit === 0) return text('[]');
    const item =
      closed || limit === fixed.length
        ? null
        : this.#rules.add(this.#value(further ?? true, [...path, furtherKeyword], depth + 1));
    return this.#items(fixed, item, least, limit);
  }

  /** One rule per counted item, and one that repeats itself for those that are not counted. */
  #items(fixed: readonly Expression[], item: Expression | null, least: number, most: number | null): Expression {
    const end = text(']');
    const counted = Math.max(fixed.length, most ?? least);
    let tail: Expression = end;
    if (most === null && item !== null) {
      const name = this.#rules.name();
      tail = this.#rules.define(name, choice(end, sequence(COMMA, SPACE, item, rule(name))));
    }
    for (let index = counted - 1; index > 0; index--) {
      const next = sequence(COMMA, SPACE, fixed[index] ?? item ?? end, tail);
      tail = this.#rules.add(index < least ? next : choice(end, next));
    }
    const first = fixed[0] ?? item;
    if (first === null) return text('[]');
    const some = sequence(first, tail);
    return sequence(text('['), least > 0 ? some : choice(end, some));
  }

  #object(schema: SchemaObject, path: SchemaPath, depth: number): Expression {
    const { properties = {}, required = [], additionalProperties } = schema;
    if (!isSchemaObject(properties)) throw refusal([...path, 'properties'], 'it is not an object.');
    if (!Array.isArray(required) || !required.every((name) => typeof name === 'string')) {
      throw refusal([...path, 'required'], 'it is not an array of strings.');
    }
    const declared = new Map(Object.entries(properties));
    if (declared.has('__proto__')) throw refusal([...path, 'properties'], 'a property can not be called "__proto__".');
    for (const name of required) {
      if (declared.has(name)) continue;
      if (additionalProperties === false)
        throw refusal([...path, 'required'], `${JSON.stringify(name)} is required, but additionalProperties is false.`);
      declared.set(name, additionalProperties ?? true);
    }
    const least = countAt(schema, 'minProperties', path) ?? 0;
    const most = countAt(schema, 'maxProperties', path);
    const mayHaveMore = isSchemaObject(additionalProperties) || (declared.size === 0 && additionalProperties !== false);
    this.#checkCounts(least, most, required.length, declared.size, mayHaveMore, path);
    const key =
      mayHaveMore || schema.propertyNames !== undefined ? this.#keyLanguage(schema, [...declared.keys()], path) : null;
    const written = [...declared].filter(([name, inner]) => inner !== false || required.includes(name));
    const members = written.map(([name, inner]) => ({
      member: sequence(
        text(`${JSON.stringify(name)}:`),
        SPACE,
        this.#value(
          inner,
          Object.hasOwn(properties, name) ? [...path, 'properties', name] : [...path, 'additionalProperties'],
          depth + 1,
        ),
      ),
      required: required.includes(name),
    }));
    if (!mayHaveMore || key === null) return this.#members(members, null, 0, null);
    const value = this.#value(additionalProperties ?? true, [...path, 'additionalProperties'], depth + 1);
    const extra = this.#rules.add(sequence(this.#string(key, [...path, 'propertyNames']), text(':'), SPACE, value));
    return this.#members(members, extra, least, most);
  }

  /** Counts are enforced on objects without declared properties; elsewhere only where they change nothing. */
  #checkCounts(
    least: number,
    most: number | null,
    required: number,
    declared: number,
    mayHaveMore: boolean,
    path: SchemaPath,
  ): void {
    const countable = declared === 0 && mayHaveMore;
    if (least > (countable ? Math.max(1, required) : required)) {
      throw refusal(
        [...path, 'minProperties'],
        'it is supported up to 1, or to the number of required properties.',
        'unsupported_parameter',
      );
    }
    if (most !== null && !(countable ? most <= MAX_ITEMS_BOUND : !mayHaveMore && most >= declared)) {
      throw refusal(
        [...path, 'maxProperties'],
        `it is supported on objects without declared properties, up to ${MAX_ITEMS_BOUND}.`,
        'unsupported_parameter',
      );
    }
  }

  /** Keys of undeclared properties: none of the declared ones, and what `propertyNames` says. */
  #keyLanguage(schema: SchemaObject, declared: readonly string[], path: SchemaPath): Language {
    const languages = this.#languages;
    const { propertyNames } = schema;
    let language = languages.star(languages.set(WRITABLE));
    if (propertyNames !== undefined && propertyNames !== true) {
      const namesPath = [...path, 'propertyNames'];
      const names = this.#reader.dereference(propertyNames, namesPath);
      if (!isSchemaObject(names)) throw refusal(namesPath, 'no name is valid.');
      checkKeywords(names, namesPath);
      const stray = ['allOf', 'anyOf', 'oneOf'].find((keyword) => names[keyword] !== undefined);
      if (stray !== undefined)
        throw refusal([...namesPath, stray], `"${stray}" is not supported here.`, 'unsupported_parameter');
      const values = valuesOf(names);
      language =
        values === null
          ? this.#stringLanguage(names, namesPath)
          : languages.either(
              ...values.filter((value) => typeof value === 'string').map((value) => languages.text(value)),
            );
      const bad = declared.find((name) => !this.#takes(language, name));
      if (bad !== undefined) throw refusal(namesPath, `the property ${JSON.stringify(bad)} does not fit it.`);
    }
    return languages.both(language, ...declared.map((name) => languages.not(languages.text(name))));
  }

  #takes(language: Language, value: string): boolean {
    const rest = Array.from(value).reduce(
      (left, character) => this.#languages.derive(left, character.codePointAt(0) ?? 0),
      language,
    );
    return rest.nullable;
  }

  /** Members in their order, optional ones left out at will, then any number of extra ones. */
  #members(
    members: readonly { readonly member: Expression; readonly required: boolean }[],
    extra: Expression | null,
    least: number,
    most: number | null,
  ): Expression {
    const end = text('}');
    let after: Expression = end;
    let begin: Expression = end;
    if (extra !== null && most !== 0) {
      if (most === null) {
        const name = this.#rules.name();
        after = this.#rules.define(name, choice(end, sequence(COMMA, SPACE, extra, rule(name))));
      } else {
        for (let count = 1; count < most; count++)
          after = this.#rules.add(choice(end, sequence(COMMA, SPACE, extra, after)));
      }
      begin = this.#rules.add(least > 0 ? sequence(extra, after) : choice(end, sequence(extra, after)));
    }
    for (const { member, required } of [...members].reverse()) {
      const shared = this.#rules.add(member);
      const [nextAfter, nextBegin] = [sequence(COMMA, SPACE, shared, after), sequence(shared, after)];
      begin = this.#rules.add(required ? nextBegin : choice(nextBegin, begin));
      after = this.#rules.add(required ? nextAfter : choice(nextAfter, after));
    }
    return sequence(text('{'), begin);
  }

  #anyValue(): Expression {
    const known = this.#shared.get('any');
    if (known !== undefined) return known;
    const name = this.#rules.name();
    this.#shared.set('any', rule(name));
    const parts = (['object', 'array', 'string', 'number', 'boolean', 'null'] as const).map((type) =>
      this.#ofType(type, {}, [], 0),
    );
    return this.#rules.define(name, choice(...parts));
  }

  #cached(key: string, make: () => Expression): Expression {
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#shared.set(key, made);
    return made;
  }
}

function refusal(
  path: SchemaPath,
  message: string,
  code: 'invalid_request' | 'unsupported_parameter' = 'invalid_request',
) {
  return new SchemaRefusedError(code, path, message);
}

function checkKeywords(schema: SchemaObject, path: SchemaPath): void {
  if (schema.enum !== undefined && !Array.isArray(schema.enum)) throw refusal([...path, 'enum'], 'it is not an array.');
  if (schema.$id !== undefined && path.length > 0) {
    throw refusal([...path, '$id'], 'a part with an $id of its own is not supported.', 'unsupported_parameter');
  }
  const unknown = Object.keys(schema).find((keyword) => !isAnnotation(keyword) && !isEnforced(keyword));
  if (unknown === undefined) return;
  throw refusal([...path, unknown], `"${unknown}" can not be enforced; remove it.`, 'unsupported_parameter');
}

function branchesOf(value: unknown, path: SchemaPath): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw refusal(path, 'it is not an array of one or more schemas.');
}

/** The types that a value may have. Without `type`: those that the keywords speak of; without such, all. */
function typesOf(schema: SchemaObject, path: SchemaPath): readonly JsonType[] {
  if (schema.type === undefined) {
    if (schema.nullable === true) throw refusal([...path, 'nullable'], '"nullable" needs "type" beside it.');
    const spoken = JSON_TYPES.filter((type) =>
      KEYWORDS_OF_TYPE[type]?.some((keyword) => schema[keyword] !== undefined),
    );
    return spoken.length === 0 ? JSON_TYPES : spoken;
  }
  const types = [schema.type].flat();
  if (types.length === 0 || !types.every((type) => JSON_TYPES.some((known) => known === type))) {
    throw refusal([...path, 'type'], `${JSON.stringify(schema.type)} is not a JSON type.`);
  }
  return [...new Set(schema.nullable === true ? [...types, 'null'] : types)] as JsonType[];
}

function numberAt(schema: SchemaObject, keyword: string, path: SchemaPath): number | null {
  const value = schema[keyword];
  if (value === undefined) return null;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw refusal([...path, keyword], 'it is not a number.');
  return value;
}

function countAt(schema: SchemaObject, keyword: string, path: SchemaPath): number | null {
  const value = numberAt(schema, keyword, path);
  if (value !== null && (!Number.isInteger(value) || value < 0))
    throw refusal([...path, keyword], 'it is not a whole number of 0 or more.');
  return value;
}

/** The tighter of the inclusive and the exclusive bound. */
function boundOf(
  schema: SchemaObject,
  inclusive: string,
  exclusive: string,
  tighter: (a: number, b: number) => number,
  path: SchemaPath,
): Bound | null {
  const including = numberAt(schema, inclusive, path);
  const excluding = numberAt(schema, exclusive, path);
  if (excluding === null) return including === null ? null : { value: including, exclusive: false };
  if (including === null || tighter(including, excluding) === excluding) return { value: excluding, exclusive: true };
  return { value: including, exclusive: false };
}

/** @param step towards the inside: 1 for a lower bound, −1 for an upper one */
function wholeBound(bound: Bound | null, step: 1 | -1): bigint | null {
  if (bound === null) return null;
  const inside = step === 1 ? Math.ceil(bound.value) : Math.floor(bound.value);
  return BigInt(inside) + (bound.exclusive && inside === bound.value ? BigInt(step) : 0n);
}
