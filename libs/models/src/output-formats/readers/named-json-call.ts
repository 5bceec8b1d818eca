import { MalformedCall } from '../malformed-call.ts';
import type { CallReading } from '../output-format.ts';
import type { Reading } from '../text-source.ts';
import { readJsonValue } from './json-reader.ts';

const MAX_HEAD_LENGTH = 256;

/**
 * A call whose name stands in a head before its arguments, with or without a code fence around these: `name[ARGS]{…}`.
 * `nameOf` takes the name out of everything between the opening and the arguments; null when it holds none.
 * @throws MalformedCall
 */
export function* readNamedJsonCall({ source, sink }: CallReading, nameOf: (head: string) => string | null): Reading {
  const head = yield* source.takeUntil(['{', '```'], MAX_HEAD_LENGTH);
  const fence = yield* source.skip('```json', '```');
  yield* source.skipSpace();
  if ((yield* source.peek()) !== '{') throw new MalformedCall('arguments that are no object');
  const name = nameOf(head);
  if (name === null) throw new MalformedCall('a call without a name');
  sink.startCall(name);
  yield* readJsonValue(source, (text) => sink.argumentText(text));
  sink.endCall();
  if (fence !== null) {
    const space = yield* source.skipSpace();
    if ((yield* source.skip('```')) === null) sink.pendingSpace(space);
    source.hold();
  }
}

/** The first group of a pattern that the head matches. */
export function matchedName(head: string, pattern: RegExp): string | null {
  return pattern.exec(head)?.[1] ?? null;
}
