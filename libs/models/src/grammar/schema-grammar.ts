import { arrayExpression } from './array-schema.ts';
import { variantsOf } from './conditional-schemas.ts';
import { conditionsOf } from './conditions.ts';
import { exclusiveBranches } from './exclusive-branches.ts';
import type { GrammarNode } from './grammar-node.ts';
import { GrammarParts } from './grammar-parts.ts';
import { choice, type Expression, type GrammarRule, text } from './grammar-rules.ts';
import { mergeSchemas } from './merge-schemas.ts';
import { numberLanguage } from './number-schema.ts';
import { memberLayout, type ObjectLayout, objectExpression } from './object-schema.ts';
import { automatonOfTexts } from './regular/automaton.ts';
import { branchesOf, checkKeywords, checkPart, refusal, typesOf } from './schema-checks.ts';
import {
  canonicalJson,
  hasType,
  isAnnotation,
  isNever,
  isSchemaObject,
  JSON_TYPES,
  type JsonType,
  KEYWORDS_OF_TYPE,
  type SchemaObject,
  typeOf,
} from './schema-keywords.ts';
import { requiresWhatMayNotBe, SchemaReader, valuesOf } from './schema-reader.ts';
import type { SchemaPath } from './schema-refused-error.ts';
import { isSpellable, JSON_SPELLING, spellValue } from './spelling.ts';
import { stringTexts } from './string-schema.ts';

const MAX_SCHEMA_CHARACTERS = 131_072;
const MAX_DEPTH = 48;
const MAX_SCHEMAS = 4_096;
const MAX_ENUM_VALUES = 2_048;
const MAX_SIZE = 65_536;
/** Keywords by which a schema is more than the values that it lists. */
const COMBINING = ['allOf', 'anyOf', 'oneOf'];

/**
 * Translates a JSON schema into a grammar of which every document is valid against the schema. What it has no rule for
 * it refuses; so nothing is ever left out silently. Documents are compact JSON, with at most one space behind a comma or
 * colon, properties in the order of the schema, and strings with short escapes only.
 *
 * It may be narrower than the schema: without `additionalProperties` no properties beyond those of `properties` are
 * written, and without `type` only values of the types that the other keywords speak of.
 */
export class SchemaGrammar {
  readonly #parts: GrammarParts;
  readonly #document: unknown;
  readonly #reader: SchemaReader;
  readonly #path: SchemaPath;
  /** Rules of what references lead to. */
  readonly #references = new Map<string, GrammarRule>();
  /** References that were followed since the last character was written. */
  readonly #open = new Set<string>();
  #schemas = 0;
  #enumValues = 0;

  /**
   * @param parts shared by the schemas that become one grammar
   * @param path where the schema stands in the request, for messages
   */
  constructor(parts: GrammarParts, document: unknown, path: SchemaPath = []) {
    if (JSON.stringify(document).length > MAX_SCHEMA_CHARACTERS) {
      throw refusal(path, `it is longer than ${MAX_SCHEMA_CHARACTERS} characters.`);
    }
    this.#parts = parts;
    this.#document = document;
    this.#reader = new SchemaReader(document);
    this.#path = path;
  }

  /**
   * The grammar of the JSON documents that are valid against a schema.
   * @throws SchemaRefusedError with the path and keyword at fault
   */
  static compile(document: unknown): GrammarNode {
    const parts = new GrammarParts(JSON_SPELLING);
    return parts.rules.compile(new SchemaGrammar(parts, document).document());
  }

  /** A whole value that is valid. @throws SchemaRefusedError */
  document(): Expression {
    return this.#finite(this.#value(this.#document, this.#path, 0));
  }

  /**
   * An object that is valid, its members written by a layout of the caller's.
   * @param layoutOf makes the layout of what gives a member's value
   * @throws SchemaRefusedError also where the schema is a choice of several
   */
  object(layoutOf: (value: (schema: unknown, path: SchemaPath) => Expression) => ObjectLayout): Expression {
    const path = this.#path;
    let schema = this.#reader.dereference(this.#document, path);
    if (schema === true) schema = { type: 'object' };
    if (schema === false) throw refusal(path, 'no value is valid against false.');
    checkKeywords(schema, path);
    if (schema.allOf !== undefined) schema = this.#reader.merged(schema, path);
    const several = ['anyOf', 'oneOf', 'enum', 'const'].find(
      (keyword) => (schema as SchemaObject)[keyword] !== undefined,
    );
    const [condition] = conditionsOf(schema, path);
    if (condition !== undefined) {
      const message =
        'a condition on all arguments together can not be enforced in the way in which this model writes calls.';
      throw refusal(condition.path, message, 'unsupported_parameter');
    }
    if (several !== undefined) {
      const message = `"${several}" can not be enforced for all arguments together in the way in which this model writes calls.`;
      throw refusal([...path, several], message, 'unsupported_parameter');
    }
    if (!typesOf({ ...schema, type: schema.type ?? 'object' }, path).includes('object')) {
      throw refusal([...path, 'type'], 'arguments are an object.');
    }
    const layout = layoutOf((inner, innerPath) => this.#value(inner, innerPath, 1));
    return this.#finite(objectExpression(this.#parts, this.#reader, schema, path, layout));
  }

  #finite(root: Expression): Expression {
    if (this.#parts.rules.isProductive(root)) return root;
    throw refusal(this.#path, 'no finite document is valid: a required part holds itself.');
  }

  #value(schema: unknown, path: SchemaPath, depth: number): Expression {
    this.#schemas += 1;
    if (depth > MAX_DEPTH) throw refusal(path, `it is nested deeper than ${MAX_DEPTH} levels.`);
    if (this.#schemas > MAX_SCHEMAS) throw refusal(path, `the schema has more than ${MAX_SCHEMAS} parts.`);
    if (this.#parts.rules.size > MAX_SIZE) {
      const message = `the schema needs more than ${MAX_SIZE} grammar states. Lower the bounds of its lengths.`;
      throw refusal(path, message, 'unsupported_parameter');
    }
    if (schema === true) return this.#parts.anyValue();
    if (isNever(schema)) throw refusal(path, 'no value is valid against false.');
    if (!isSchemaObject(schema)) throw refusal(path, 'it is neither an object nor true or false.');
    if (depth === 0) checkKeywords(schema, path);
    else checkPart(schema, path);
    if (schema.$ref !== undefined) return this.#reference(schema, path, depth);
    if (schema.allOf !== undefined) return this.#value(this.#reader.merged(schema, path), path, depth + 1);
    if (conditionsOf(schema, path).length > 0) return this.#conditional(schema, path, depth);
    if (schema.anyOf !== undefined || schema.oneOf !== undefined) return this.#branches(schema, path, depth);
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
    if (known !== undefined) return { kind: 'rule', rule: known };
    const rule = this.#parts.rules.reserve();
    this.#references.set(key, rule);
    this.#open.add(key);
    const expression = this.#value(target, path, depth + 1);
    this.#open.delete(key);
    return this.#parts.rules.define(rule, expression);
  }

  /** Runs `inner` behind a character of its own, where references may lead back. */
  #behindCharacter<Result>(inner: () => Result): Result {
    const open = [...this.#open];
    this.#open.clear();
    const result = inner();
    for (const key of open) this.#open.add(key);
    return result;
  }

  #conditional(schema: SchemaObject, path: SchemaPath, depth: number): Expression {
    const variants = variantsOf(this.#reader, schema, path).filter((variant) => !requiresWhatMayNotBe(variant.schema));
    if (variants.length === 0) throw refusal(path, 'no value is valid: what follows from its conditions can not be.');
    return choice(...variants.map((variant) => this.#value(variant.schema, variant.path, depth + 1)));
  }

  #branches({ anyOf, oneOf, ...rest }: SchemaObject, path: SchemaPath, depth: number): Expression {
    const keyword = anyOf === undefined ? 'oneOf' : 'anyOf';
    const given = branchesOf(anyOf ?? oneOf, [...path, keyword]);
    // Beside an `anyOf`, a `oneOf` holds in each of its branches.
    const base = anyOf === undefined || oneOf === undefined ? rest : { ...rest, oneOf };
    const branches = keyword === 'oneOf' ? exclusiveBranches(this.#reader, base, given, [...path, keyword]) : given;
    const bare = Object.keys(base).every(isAnnotation);
    const expressions = branches.flatMap((branch, index) => {
      if (isNever(branch)) return [];
      const branchPath = [...path, keyword, index];
      if (bare) return [this.#value(branch, branchPath, depth + 1)];
      const target = this.#reader.dereference(branch, branchPath);
      if (target === true) return [this.#value(base, branchPath, depth + 1)];
      if (target === false) return [];
      checkPart(target, branchPath);
      const merged = mergeSchemas(base, target, branchPath);
      return requiresWhatMayNotBe(merged) ? [] : [this.#value(merged, branchPath, depth + 1)];
    });
    if (expressions.length === 0) throw refusal([...path, keyword], 'no value is valid against any of its branches.');
    return choice(...expressions);
  }

  /** The texts of the values that a schema lists, each once; null of one that does not. */
  #listed(schema: unknown, path: SchemaPath): readonly string[] | null {
    const target = this.#reader.dereference(schema, path);
    if (typeof target === 'boolean') return null;
    checkPart(target, path);
    const values = valuesOf(target);
    if (values === null || COMBINING.some((keyword) => target[keyword] !== undefined)) return null;
    const once = new Map(this.#fitting(values, target, path).map((value) => [canonicalJson(value), value]));
    return [...once.values()].map((value) => spellValue(this.#parts.spelling, value));
  }

  #literals(values: readonly unknown[], schema: SchemaObject, path: SchemaPath): Expression {
    const { rules, spelling } = this.#parts;
    const fitting = this.#fitting(values, schema, path);
    if (fitting.length === 1) return text(spellValue(spelling, fitting[0]));
    return rules.addText(automatonOfTexts(fitting.map((value) => spellValue(spelling, value))));
  }

  /** The values that the schema's type leaves and that can be written. */
  #fitting(values: readonly unknown[], schema: SchemaObject, path: SchemaPath): readonly unknown[] {
    const { spelling } = this.#parts;
    const types = schema.type === undefined ? JSON_TYPES : typesOf(schema, path);
    const fitting = values.filter((value) => hasType(typeOf(value), types) && isSpellable(spelling, value));
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
    return fitting;
  }

  #typed(schema: SchemaObject, path: SchemaPath, depth: number): Expression {
    const types = typesOf(schema, path);
    if (types === JSON_TYPES) return this.#parts.anyValue();
    const parts = types
      .filter((type) => type !== 'integer' || !types.includes('number'))
      .map((type) => this.#ofType(type, schema, path, depth));
    if (parts.length === 0) throw refusal([...path, 'type'], 'no type is left.');
    return choice(...parts);
  }

  #ofType(type: JsonType, schema: SchemaObject, path: SchemaPath, depth: number): Expression {
    const parts = this.#parts;
    const inner = (each: unknown, innerPath: SchemaPath): Expression => this.#value(each, innerPath, depth + 1);
    switch (type) {
      case 'null':
        return parts.null;
      case 'boolean':
        return parts.boolean;
      case 'integer':
      case 'number':
        return parts.plain(
          numberLanguage(parts.languages, type, schema, path),
          path,
          'no number is within its bounds.',
        );
      case 'string':
        return parts.string(stringTexts(parts.languages, schema, path), path);
      case 'array':
        return this.#behindCharacter(() => {
          const listed = (items: unknown, at: SchemaPath) => this.#listed(items, at);
          return arrayExpression(parts, schema, path, inner, listed);
        });
      case 'object':
        return this.#behindCharacter(() =>
          objectExpression(parts, this.#reader, schema, path, memberLayout(parts, inner)),
        );
    }
  }
}
