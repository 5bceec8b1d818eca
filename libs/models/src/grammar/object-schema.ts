import { COMMA, type GrammarParts, SPACE } from './grammar-parts.ts';
import { choice, type Expression, sequence, text } from './grammar-rules.ts';
import { automatonOf } from './regular/automaton.ts';
import type { Language, Languages } from './regular/regular-language.ts';
import { checkPart, countAt, refusal } from './schema-checks.ts';
import { isNever, isSchemaObject, type SchemaObject } from './schema-keywords.ts';
import { type SchemaReader, valuesOf } from './schema-reader.ts';
import type { SchemaPath } from './schema-refused-error.ts';
import { isSpellableKey, spellKey } from './spelling.ts';
import { languageOf, stringTexts, WRITABLE, withLength } from './string-schema.ts';

const MAX_MEMBERS_BOUND = 1_000_000;
const MAX_NAME_LENGTH = 512;
const MAX_NAME_STATES = 256;

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
  const { properties = {}, required = [], patternProperties = {} } = schema;
  // Where nothing is said of the others, none is evaluated.
  const ofOthers = schema.additionalProperties ?? schema.unevaluatedProperties;
  const additionalProperties = isNever(ofOthers) ? false : ofOthers;
  if (!isSchemaObject(properties)) throw refusal([...path, 'properties'], 'it is not an object.');
  if (!Array.isArray(required) || !required.every((name) => typeof name === 'string')) {
    throw refusal([...path, 'required'], 'it is not an array of strings.');
  }
  if (!isSchemaObject(patternProperties)) throw refusal([...path, 'patternProperties'], 'it is not an object.');
  const { languages } = parts;
  const shaped: NamedByPattern[] = Object.entries(patternProperties).map(([pattern, inner]) => {
    const innerPath = [...path, 'patternProperties', pattern];
    return { names: languageOf(languages, pattern, innerPath), schema: inner, path: innerPath };
  });
  const declared = new Map(Object.entries(properties));
  if (declared.has('__proto__')) throw refusal([...path, 'properties'], 'a property can not be called "__proto__".');
  for (const name of declared.keys()) {
    const twice = shaped.find(({ names }) => languages.takes(names, name));
    if (twice === undefined) continue;
    const message = `it speaks of the property ${JSON.stringify(name)} too; write what both say under "properties".`;
    throw refusal(twice.path, message, 'unsupported_parameter');
  }
  const undeclared = new Map<string, SchemaPath>();
  for (const name of required) {
    if (declared.has(name)) continue;
    const [byPattern, second] = shaped.filter(({ names }) => languages.takes(names, name));
    if (second !== undefined) {
      const message = `it speaks of ${JSON.stringify(name)}, as another pattern does.`;
      throw refusal(second.path, message, 'unsupported_parameter');
    }
    if (byPattern === undefined && additionalProperties === false)
      throw refusal([...path, 'required'], `${JSON.stringify(name)} is required, but additionalProperties is false.`);
    declared.set(name, byPattern === undefined ? (additionalProperties ?? true) : byPattern.schema);
    undeclared.set(name, byPattern?.path ?? [...path, 'additionalProperties']);
  }
  const least = countAt(schema, 'minProperties', path) ?? 0;
  const most = countAt(schema, 'maxProperties', path);
  const others = otherMembers(parts, reader, { ...schema, additionalProperties }, shaped, [...declared.keys()], path);
  checkCounts(least, most, required.length, declared.size, others.length > 0, path);
  const written = [...declared].filter(([name, inner]) => !isNever(inner) || required.includes(name));
  const members = written.map(([name, inner]) => {
    const innerPath = undeclared.get(name) ?? [...path, 'properties', name];
    return { member: layout.member(name, inner, innerPath), required: required.includes(name) };
  });
  if (others.length === 0) return membersExpression(parts, layout, members, null, 0, null);
  const other = choice(...others.map(({ names, schema, path }) => layout.otherMember(names, schema, path)));
  return membersExpression(parts, layout, members, parts.rules.add(other), least, most);
}

/** Properties that are told by what their names are like. */
interface NamedByPattern {
  readonly names: Language;
  readonly schema: unknown;
  readonly path: SchemaPath;
}

/** The properties beside the declared ones, each name in one language only: of one pattern, or of none. */
function otherMembers(
  parts: GrammarParts,
  reader: SchemaReader,
  schema: SchemaObject,
  shaped: readonly NamedByPattern[],
  declared: readonly string[],
  path: SchemaPath,
): NamedByPattern[] {
  const { languages } = parts;
  const { additionalProperties, propertyNames } = schema;
  const hasRest =
    isSchemaObject(additionalProperties) ||
    (declared.length === 0 && shaped.length === 0 && additionalProperties !== false);
  if (!hasRest && shaped.length === 0 && propertyNames === undefined) return [];
  const free = undeclaredNames(languages, reader, schema, declared, path);
  const without = (left: readonly NamedByPattern[]): Language[] => left.map(({ names }) => languages.not(names));
  const rest = { names: languages.both(free, ...without(shaped)), schema: additionalProperties ?? true };
  return [
    ...shaped.map((each) => ({
      ...each,
      names: languages.both(free, each.names, ...without(shaped.filter((other) => other !== each))),
    })),
    ...(hasRest ? [{ ...rest, path: [...path, 'additionalProperties'] }] : []),
  ].filter(({ names, schema: inner }) => !isNever(inner) && !hasNoText(languages, names));
}

/** Whether no text is in the language; false where that is not found out within a few states. */
function hasNoText(languages: Languages, language: Language): boolean {
  return automatonOf(languages, language, MAX_NAME_STATES)?.length === 0;
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
