import { MalformedCall } from '../malformed-call.ts';
import type { CallReading } from '../output-format.ts';
import type { Reading, TextSource } from '../text-source.ts';
import { readPythonValue } from './python-value.ts';

const MAX_NAME_LENGTH = 256;
const NAME_UNIT = /[\p{L}\p{N}_.-]/u;

/** A list of calls in Python's writing: `[f(a=1), g(b='x')]`. The arguments' JSON text is made here. @throws MalformedCall */
export function* readPythonicCalls({ source, sink }: CallReading): Reading {
  yield* source.skipSpace();
  yield* source.expect('[');
  do {
    yield* source.skipSpace();
    yield* readPythonicCall({ source, sink });
    yield* source.skipSpace();
  } while ((yield* source.expect(',', ']')) === ',');
  source.hold();
}

/** Calls in Python's writing with nothing but white space between them: `f(a=1)\ng(b='x')`. @throws MalformedCall */
export function* readPythonicLines({ source, sink }: CallReading): Reading {
  yield* source.skipSpace();
  for (;;) {
    yield* readPythonicCall({ source, sink });
    source.hold();
    const space = yield* source.skipSpace();
    if (!NAME_UNIT.test(yield* source.peek())) {
      sink.pendingSpace(space);
      source.hold();
      return;
    }
  }
}

function* readPythonicCall({ source, sink }: Pick<CallReading, 'source' | 'sink'>): Reading {
  const name = yield* readName(source);
  yield* source.expect('(');
  yield* source.skipSpace();
  // One more is read before the call begins: `[see (1)]` is text.
  let argument = (yield* source.skip(')')) === null ? yield* readArgumentName(source) : null;
  sink.startCall(name);
  let separator = '{';
  while (argument !== null) {
    sink.argumentText(`${separator}${JSON.stringify(argument)}:`);
    yield* readPythonValue(source, (text) => sink.argumentText(text));
    separator = ',';
    yield* source.skipSpace();
    let end = yield* source.expect(',', ')');
    yield* source.skipSpace();
    if (end === ',' && (yield* source.skip(')')) !== null) end = ')';
    argument = end === ',' ? yield* readArgumentName(source) : null;
  }
  sink.argumentText(separator === '{' ? '{}' : '}');
  sink.endCall();
}

function* readArgumentName(source: TextSource): Reading<string> {
  const name = yield* readName(source);
  yield* source.skipSpace();
  yield* source.expect('=');
  yield* source.skipSpace();
  return name;
}

function* readName(source: TextSource): Reading<string> {
  let name = '';
  for (let unit = yield* source.peek(); NAME_UNIT.test(unit); unit = yield* source.peek()) {
    name += yield* source.take();
    if (name.length > MAX_NAME_LENGTH) break;
  }
  if (name === '' || name.length > MAX_NAME_LENGTH) throw new MalformedCall('no name');
  return name;
}
