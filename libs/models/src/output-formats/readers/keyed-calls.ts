import { MalformedCall } from '../malformed-call.ts';
import type { CallReading } from '../output-format.ts';
import type { Reading } from '../text-source.ts';
import { readJsonString, readJsonValue } from './json-reader.ts';

const MAX_NAME_LENGTH = 256;

/** A list of objects with one member each, whose key is the call's name: `[{"f": {…}}, {"g": {…}}]`. @throws MalformedCall */
export function* readKeyedCalls({ source, sink }: CallReading): Reading {
  yield* source.skipSpace();
  yield* source.expect('[');
  do {
    yield* source.skipSpace();
    yield* source.expect('{');
    yield* source.skipSpace();
    const name = yield* readJsonString(source, MAX_NAME_LENGTH);
    yield* source.skipSpace();
    yield* source.expect(':');
    yield* source.skipSpace();
    if ((yield* source.peek()) !== '{') throw new MalformedCall('arguments that are no object');
    sink.startCall(name);
    yield* readJsonValue(source, (text) => sink.argumentText(text));
    sink.endCall();
    yield* source.skipSpace();
    yield* source.expect('}');
    yield* source.skipSpace();
  } while ((yield* source.expect(',', ']')) === ',');
  source.hold();
}
