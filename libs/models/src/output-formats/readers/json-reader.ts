import { MalformedCall } from '../malformed-call.ts';
import type { Reading, TextSource } from '../text-source.ts';

/** Called with every piece of a value's text, in order; the pieces join to the text as the model wrote it. */
export type TextPieces = (text: string) => void;

const MAX_DEPTH = 64;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const MAX_NUMBER_LENGTH = 400;
const MAX_KEY_LENGTH = 1_024;
const LITERALS = ['true', 'false', 'null'];

/** Reads one JSON value (RFC 8259). @throws MalformedCall at the first character that no JSON text can have there */
export function* readJsonValue(source: TextSource, pieces: TextPieces, depth = 0): Reading {
  if (depth > MAX_DEPTH) throw new MalformedCall(`nested deeper than ${MAX_DEPTH} levels`);
  const unit = yield* source.peek();
  if (unit === '{') yield* readObject(source, pieces, depth);
  else if (unit === '[') yield* readArray(source, pieces, depth);
  else if (unit === '"') yield* readString(source, pieces);
  else if (unit === '-' || isDigit(unit)) yield* readNumber(source, pieces);
  else pieces(yield* source.expect(...LITERALS));
}

/** Reads a JSON string and gives what it means. */
export function* readJsonString(source: TextSource, maxLength: number): Reading<string> {
  let text = '';
  yield* readString(source, (piece) => {
    text += piece;
    if (text.length > maxLength) throw new MalformedCall(`a string longer than ${maxLength} characters`);
  });
  return JSON.parse(text) as string;
}

function* readObject(source: TextSource, pieces: TextPieces, depth: number): Reading {
  pieces(yield* source.expect('{'));
  pieces(yield* source.skipSpace());
  if ((yield* source.peek()) === '}') {
    pieces(yield* source.take());
    return;
  }
  for (;;) {
    yield* readString(source, pieces);
    pieces(yield* source.skipSpace());
    pieces(yield* source.expect(':'));
    pieces(yield* source.skipSpace());
    yield* readJsonValue(source, pieces, depth + 1);
    pieces(yield* source.skipSpace());
    const next = yield* source.expect(',', '}');
    pieces(next);
    if (next === '}') return;
    pieces(yield* source.skipSpace());
  }
}

function* readArray(source: TextSource, pieces: TextPieces, depth: number): Reading {
  pieces(yield* source.expect('['));
  pieces(yield* source.skipSpace());
  if ((yield* source.peek()) === ']') {
    pieces(yield* source.take());
    return;
  }
  for (;;) {
    yield* readJsonValue(source, pieces, depth + 1);
    pieces(yield* source.skipSpace());
    const next = yield* source.expect(',', ']');
    pieces(next);
    if (next === ']') return;
    pieces(yield* source.skipSpace());
  }
}

function* readString(source: TextSource, pieces: TextPieces): Reading {
  pieces(yield* source.expect('"'));
  for (;;) {
    const unit = yield* source.peek();
    if (unit !== '' && unit < ' ') throw new MalformedCall('a control character in a JSON string');
    // An escape is delivered whole, so that arguments never end inside one.
    const piece = unit === '\\' ? yield* readEscape(source) : yield* source.take();
    pieces(piece);
    if (piece === '"') return;
  }
}

function* readEscape(source: TextSource): Reading<string> {
  let text = (yield* source.take()) + (yield* source.take());
  if (text === '\\u') {
    for (let i = 0; i < 4; i++) text += yield* source.take();
  }
  if (!/^\\(["\\/bfnrt]|u[0-9a-fA-F]{4})$/.test(text)) throw new MalformedCall('an unknown escape in a JSON string');
  return text;
}

function* readNumber(source: TextSource, pieces: TextPieces): Reading {
  let text = '';
  for (let unit = yield* source.peek(); isDigit(unit) || '+-.eE'.includes(unit || ' '); unit = yield* source.peek()) {
    text += yield* source.take();
    if (text.length > MAX_NUMBER_LENGTH) break;
  }
  if (!NUMBER.test(text)) throw new MalformedCall(`${text} is no JSON number`);
  pieces(text);
}

function isDigit(unit: string): boolean {
  return unit >= '0' && unit <= '9';
}

/** Whether a text is one JSON value and nothing else but white space. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Reads an object whose members the caller reads one by one: `onMember` is called with the key, before the value. */
export function* readMembers(source: TextSource, onMember: (key: string) => Reading): Reading {
  yield* source.expect('{');
  yield* source.skipSpace();
  if ((yield* source.skip('}')) !== null) return;
  for (;;) {
    const key = yield* readJsonString(source, MAX_KEY_LENGTH);
    yield* source.skipSpace();
    yield* source.expect(':');
    yield* source.skipSpace();
    yield* onMember(key);
    yield* source.skipSpace();
    if ((yield* source.expect(',', '}')) === '}') return;
    yield* source.skipSpace();
  }
}
