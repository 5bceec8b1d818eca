import { COMMA, type GrammarParts, SPACE } from './grammar-parts.ts';
import { choice, type Expression, sequence, text } from './grammar-rules.ts';
import type { Language, Languages } from './regular/regular-language.ts';
import { checkPart, countAt, refusal } from './schema-checks.ts';
import { isSchemaObject, type SchemaObject } from './schema-keywords.ts';
import { type SchemaReader, valuesOf } from './schema-reader.ts';
import type { SchemaPath } from './schema-refused-error.ts';
import { isSpellableKey, spellKey } from './spelling.ts';
import { stringTexts, WRITABLE, withLength } from './string-schema.ts';

const MAX_MEMBERS_BOUND = 512;
const MAX_NAME_LENGTH = 512;

type ValueOf = (schema: unknown, path: SchemaPath) => Expression;

/** How an object's members are written. */
export interface ObjectLayout {
  readonly open: string;
  readonly close: string;
  readonly separator: Expression;
  /** The member of a declared property. @throws SchemaRefusedError where the name can not be written */
  member(name: string, schema: unknown, path: SchemaPath): Expression;
  /** A member whose name is in the language. */
  otherMember(names: Language, schema: unknown, path: SchemaPath): Expression;
}

/** `{"name": value, …}`, as the parts' spelling has it. */
export function memberLayout(parts: GrammarParts, value: ValueOf): ObjectLayout {
  const { spelling } = parts;
  return {
    open: '{',
    close: '}',
    separator: COMMA,
    member(name, schema, path) {
      if (!isSpellableKey(spelling, name)) {
        throw refusal(path, `the model's way of writing calls has no property of this name.`, 'unsupported_parameter');
      }
      return sequence(text(`${spellKey(spelling, name)}:`), SPACE, value(schema, path));
    },
    otherMember(names, schema, path) {
      return sequence(parts.key(names, [...path, 'propertyNames']), text(':'), SPACE, value(schema, path));
    },
  };
}

/** The objects that are valid against a schema. */
export function objectExpression(
  parts: GrammarParts,
  reader: SchemaReader,
  schema: SchemaObject,
  path: SchemaPath,
  layout: ObjectLayout,
): Expression {
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
  checkCounts(least, most, required.length, declared.size, mayHaveMore, path);
  const names =
    mayHaveMore || schema.propertyNames !== undefined
      ? undeclaredNames(parts.languages, reader, schema, [...declared.keys()], path)
      : null;
  const written = [...declared].filter(([name, inner]) => inner !== false || required.includes(name));
  const members = written.map(([name, inner]) => {
    const innerPath = Object.hasOwn(properties, name)
      ? [...path, 'properties', name]
      : [...path, 'additionalProperties'];
    return { member: layout.member(name, inner, innerPath), required: required.includes(name) };
  });
  if (!mayHaveMore || names === null) return membersExpression(parts, layout, members, null, 0, null);
  const other = layout.otherMember(names, additionalProperties ?? true, [...path, 'additionalProperties']);
  return membersExpression(parts, layout, members, parts.rules.add(other), least, most);
}

/** Counts are enforced on objects without declared properties; elsewhere only where they change nothing. */
function checkCounts(
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
  if (most !== null && !(countable ? most <= MAX_MEMBERS_BOUND : !mayHaveMore && most >= declared)) {
    throw refusal(
      [...path, 'maxProperties'],
      `it is supported on objects without declared properties, up to ${MAX_MEMBERS_BOUND}.`,
      'unsupported_parameter',
    );
  }
}

/** Names of undeclared properties: none of the declared ones, and what `propertyNames` says. */
function undeclaredNames(
  languages: Languages,
  reader: SchemaReader,
  schema: SchemaObject,
  declared: readonly string[],
  path: SchemaPath,
): Language {
  const { propertyNames } = schema;
  let language = languages.star(languages.set(WRITABLE));
  if (propertyNames !== undefined && propertyNames !== true) {
    const namesPath = [...path, 'propertyNames'];
    const names = reader.dereference(propertyNames, namesPath);
    if (!isSchemaObject(names)) throw refusal(namesPath, 'no name is valid.');
    checkPart(names, namesPath);
    const stray = ['allOf', 'anyOf', 'oneOf'].find((keyword) => names[keyword] !== undefined);
    if (stray !== undefined)
      throw refusal([...namesPath, stray], `"${stray}" is not supported here.`, 'unsupported_parameter');
    const values = valuesOf(names);
    const texts = stringTexts(languages, names, namesPath);
    if (Math.max(texts.least, texts.most ?? 0) > MAX_NAME_LENGTH) {
      throw refusal(namesPath, `names longer than ${MAX_NAME_LENGTH} are not supported.`, 'unsupported_parameter');
    }
    language =
      values === null
        ? withLength(languages, texts.language, texts.least, texts.most)
        : languages.either(
            ...values.filter((value) => typeof value === 'string').map((value) => languages.text(value)),
          );
    const bad = declared.find((name) => !languages.takes(language, name));
    if (bad !== undefined) throw refusal(namesPath, `the property ${JSON.stringify(bad)} does not fit it.`);
  }
  return languages.both(language, ...declared.map((name) => languages.not(languages.text(name))));
}

/** Members in their order, optional ones left out at will, then any number of others. */
function membersExpression(
  { rules }: GrammarParts,
  { open, close, separator }: ObjectLayout,
  members: readonly { readonly member: Expression; readonly required: boolean }[],
  other: Expression | null,
  least: number,
  most: number | null,
): Expression {
  const end = text(close);
  let after: Expression = end;
  let begin: Expression = end;
  if (other !== null && most !== 0) {
    begin = rules.add(sequence(rules.list(other, separator, least, most), end));
    after = rules.add(choice(end, sequence(separator, rules.list(other, separator, 1, null), end)));
  }
  for (const { member, required } of [...members].reverse()) {
    const shared = rules.add(member);
    const [nextAfter, nextBegin] = [sequence(separator, shared, after), sequence(shared, after)];
    begin = rules.add(required ? nextBegin : choice(nextBegin, begin));
    after = rules.add(required ? nextAfter : choice(nextAfter, after));
  }
  return sequence(text(open), begin);
}
