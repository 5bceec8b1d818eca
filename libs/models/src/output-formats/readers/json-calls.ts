import { MalformedCall } from '../malformed-call.ts';
import type { CallReading } from '../output-format.ts';
import type { Reading } from '../text-source.ts';
import { readJsonString, readJsonValue, readMembers } from './json-reader.ts';

const MAX_NAME_LENGTH = 256;
/** Members that a call may have beside its name and arguments; they carry nothing. */
const OTHER_MEMBERS = ['id', 'call_id', 'tool_call_id', 'type', 'index'];

export interface JsonCallKeys {
  readonly name: string;
  readonly arguments: string;
}

/** The keys that most families use. */
export const NAME_AND_ARGUMENTS: JsonCallKeys = Object.freeze({ name: 'name', arguments: 'arguments' });

/**
 * Calls as JSON objects, `{"name": …, "arguments": {…}}`: one, or several behind one another (between them white space or
 * one of `separators`), or a list of them. `id`, `type` and the like are read over; other members make it text. Arguments that stand before
 * the name wait for it; arguments that are a string of JSON are taken out of the string. `list` tells whether the opening
 * already holds the list's bracket.
 */
export function* readJsonCalls(
  { source, sink }: CallReading,
  keys: readonly JsonCallKeys[],
  separators: readonly string[] = [],
  list: 'before' | 'in-list' = 'before',
): Reading {
  yield* source.skipSpace();
  if (list === 'in-list' || (yield* source.skip('[')) !== null) {
    do {
      yield* source.skipSpace();
      yield* readJsonCall({ source, sink, opening: '' }, keys);
      yield* source.skipSpace();
    } while ((yield* source.expect(',', ']')) === ',');
    source.hold();
    return;
  }
  yield* readJsonCall({ source, sink, opening: '' }, keys);
  for (;;) {
    source.hold();
    const space = yield* source.skipSpace();
    const separator = yield* source.skip(...separators);
    const more = separator === null ? '' : yield* source.skipSpace();
    if ((yield* source.peek()) !== '{') {
      if (separator !== null) throw new MalformedCall('no call behind the separator');
      sink.pendingSpace(space + more);
      return;
    }
    yield* readJsonCall({ source, sink, opening: '' }, keys);
  }
}

function* readJsonCall({ source, sink }: CallReading, keys: readonly JsonCallKeys[]): Reading {
  let name: string | null = null;
  let waiting: string | null = null;
  let ended = false;
  // A call ends with its arguments: what can't follow them is text, and takes nothing from the call.
  const end = (): void => {
    sink.endCall();
    ended = true;
  };
  const deliver = (calledName: string, argumentsText: string): void => {
    sink.startCall(calledName);
    sink.argumentText(argumentsText);
    end();
  };
  yield* readMembers(source, function* (key) {
    if (name === null && keys.some((pair) => pair.name === key)) {
      name = yield* readJsonString(source, MAX_NAME_LENGTH);
      if (waiting !== null) deliver(name, argumentsObject(waiting));
    } else if (!ended && waiting === null && keys.some((pair) => pair.arguments === key)) {
      if (name !== null && (yield* source.peek()) === '{') {
        sink.startCall(name);
        yield* readJsonValue(source, (text) => sink.argumentText(text));
        end();
      } else {
        waiting = '';
        yield* readJsonValue(source, (text) => {
          waiting += text;
        });
        if (name !== null) deliver(name, argumentsObject(waiting));
      }
    } else if (OTHER_MEMBERS.includes(key)) {
      yield* readJsonValue(source, () => undefined);
    } else {
      throw new MalformedCall(`a member ${key}, which no call has`);
    }
  });
  if (name === null) throw new MalformedCall('a call without a name');
  if (!ended) deliver(name, '{}');
  source.hold();
}

/** An object's text; of a string, the object that it holds; of null, an object without members. @throws MalformedCall */
function argumentsObject(json: string): string {
  const value: unknown = JSON.parse(json);
  if (value === null) return '{}';
  if (typeof value === 'string') {
    try {
      const inner: unknown = JSON.parse(value);
      if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) return value;
    } catch {
      // Not JSON: refused below.
    }
  }
  if (typeof value !== 'object' || Array.isArray(value)) throw new MalformedCall('arguments that are no object');
  return json;
}
