import { MalformedCall } from '../malformed-call.ts';
import type { CallReading } from '../output-format.ts';
import type { Reading, TextSource } from '../text-source.ts';
import { isStringSchema } from '../tool-set.ts';
import { isJson } from './json-reader.ts';

const MAX_NAME_LENGTH = 256;
const MAX_DEPTH = 64;
const NAME_END = '">';
const ITEM = 'item';

/**
 * A call whose arguments are elements: `<a>text</a>`, an object as an element of its members, a list as one of `<item>`s.
 * `namespace` stands before every tag. A text that can only be a string is taken as it stands; any other is taken as JSON
 * where it is JSON, else as a string. The arguments' JSON text is made here. @throws MalformedCall
 */
export function* readElementCall({ source, sink }: CallReading, namespace: string): Reading {
  const name = (yield* source.takeUntil([NAME_END], MAX_NAME_LENGTH)).trim();
  yield* source.expect(NAME_END);
  yield* source.skipSpace();
  yield* source.expect(namespace);
  const [open, close] = ['<', '</invoke>'];
  let mark = yield* source.expect(open, close);
  sink.startCall(name);
  let separator = '{';
  while (mark !== close) {
    const argument = yield* readTagName(source);
    const value = yield* readElement(source, namespace, argument, sink.tools.argumentSchema(name, argument), 0);
    sink.argumentText(`${separator}${JSON.stringify(argument)}:${value}`);
    separator = ',';
    yield* source.skipSpace();
    yield* source.expect(namespace);
    mark = yield* source.expect(open, close);
  }
  sink.argumentText(separator === '{' ? '{}' : '}');
  sink.endCall();
}

/** The JSON text of the element that a tag has opened. */
function* readElement(
  source: TextSource,
  namespace: string,
  name: string,
  schema: unknown,
  depth: number,
): Reading<string> {
  if (depth > MAX_DEPTH) throw new MalformedCall(`nested deeper than ${MAX_DEPTH} levels`);
  if (isStringSchema(schema)) return JSON.stringify(yield* readUntil(source, `${namespace}</${name}>`));
  const text = yield* readUntil(source, namespace);
  const members: (readonly [string, string])[] = [];
  while ((yield* source.expect('</', '<')) === '<') {
    const member = yield* readTagName(source);
    members.push([member, yield* readElement(source, namespace, member, memberSchema(schema, member), depth + 1)]);
    yield* source.skipSpace();
    yield* source.expect(namespace);
  }
  yield* readTagName(source);
  if (members.length === 0) return isJson(text) ? text.trim() : emptyOr(text, schema);
  if (text.trim() !== '') throw new MalformedCall('text beside elements');
  return members.every(([member]) => member === ITEM)
    ? `[${members.map(([, value]) => value).join(',')}]`
    : `{${members.map(([member, value]) => `${JSON.stringify(member)}:${value}`).join(',')}}`;
}

/** An element without members is an empty object or list, where the schema says so. */
function emptyOr(text: string, schema: unknown): string {
  const type = text.trim() === '' && isRecord(schema) ? schema.type : undefined;
  if (type === 'array') return '[]';
  return type === 'object' ? '{}' : JSON.stringify(text);
}

function memberSchema(schema: unknown, member: string): unknown {
  if (!isRecord(schema)) return undefined;
  if (member === ITEM && schema.items !== undefined) return schema.items;
  return isRecord(schema.properties) && Object.hasOwn(schema.properties, member)
    ? schema.properties[member]
    : undefined;
}

function* readTagName(source: TextSource): Reading<string> {
  const name = yield* source.takeUntil(['>'], MAX_NAME_LENGTH);
  yield* source.expect('>');
  if (!/^[^\s<>/]+$/.test(name)) throw new MalformedCall('no name of an element');
  return name;
}

/** The text up to a mark, which is consumed. */
function* readUntil(source: TextSource, mark: string): Reading<string> {
  let text = '';
  while ((yield* source.skip(mark)) === null) text += yield* source.takeCharacter();
  return text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
