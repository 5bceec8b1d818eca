import { MalformedCall } from '../malformed-call.ts';
import type { Reading, TextSource } from '../text-source.ts';
import { readJsonValue, type TextPieces } from './json-reader.ts';

const MAX_DEPTH = 64;
const CONSTANTS: Readonly<Record<string, string>> = {
  True: 'true',
  False: 'false',
  None: 'null',
  true: 'true',
  false: 'false',
  null: 'null',
};
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  '0': '\0',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};
const LEADING_ZEROS = Array.from({ length: 10 }, (_, digit) => `0${digit}`);
const HEX_ESCAPES: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * Reads a Python literal (string, number, constant, list, tuple, set, dict) and gives it as JSON text; what models write in
 * spite of Python (`07`, line breaks in strings) too. @throws MalformedCall
 */
export function* readPythonValue(source: TextSource, pieces: TextPieces, depth = 0): Reading {
  if (depth > MAX_DEPTH) throw new MalformedCall(`nested deeper than ${MAX_DEPTH} levels`);
  const unit = yield* source.peek();
  if (unit === '"' || unit === "'") yield* readPythonString(source, pieces);
  else if (unit === '[') yield* readSequence(source, pieces, ']', depth);
  else if (unit === '(') yield* readSequence(source, pieces, ')', depth);
  else if (unit === '{') yield* readDictOrSet(source, pieces, depth);
  else if (unit === '-' || (unit >= '0' && unit <= '9')) yield* readNumber(source, pieces);
  else pieces(CONSTANTS[yield* source.expect(...Object.keys(CONSTANTS))] ?? 'null');
}

function* readPythonString(source: TextSource, pieces: TextPieces): Reading {
  const quote = yield* source.take();
  pieces('"');
  for (let unit = yield* source.takeCharacter(); unit !== quote; unit = yield* source.takeCharacter()) {
    const text = unit === '\\' ? yield* readEscape(source) : unit;
    pieces(JSON.stringify(text).slice(1, -1));
  }
  pieces('"');
}

function* readEscape(source: TextSource): Reading<string> {
  const unit = yield* source.take();
  const digits = HEX_ESCAPES[unit];
  if (digits === undefined) return ESCAPES[unit] ?? `\\${unit}`; // as Python: an unknown escape stands for itself
  let hex = '';
  for (let i = 0; i < digits; i++) hex += yield* source.take();
  const codePoint = /^[0-9a-fA-F]+$/.test(hex) ? Number.parseInt(hex, 16) : Number.POSITIVE_INFINITY;
  if (codePoint > 0x10ffff) throw new MalformedCall('an unknown escape in a Python string');
  return String.fromCodePoint(codePoint);
}

function* readSequence(source: TextSource, pieces: TextPieces, close: string, depth: number): Reading {
  yield* source.take();
  pieces('[');
  yield* source.skipSpace();
  for (let first = true; (yield* source.skip(close)) === null; first = false) {
    if (!first) pieces(',');
    yield* readPythonValue(source, pieces, depth + 1);
    yield* source.skipSpace();
    if ((yield* source.match([close])) === null) {
      yield* source.expect(',');
      yield* source.skipSpace();
    }
  }
  pieces(']');
}

/** A dict, or a set, which becomes a list: what follows the first key or item tells. */
function* readDictOrSet(source: TextSource, pieces: TextPieces, depth: number): Reading {
  yield* source.take();
  yield* source.skipSpace();
  let isDict: boolean | null = null;
  while ((yield* source.skip('}')) === null) {
    const before = isDict === null ? '' : ',';
    let item = '';
    yield* readPythonValue(source, (text) => (item += text), depth + 1);
    yield* source.skipSpace();
    if (isDict === null) {
      isDict = (yield* source.peek()) === ':';
      pieces(isDict ? '{' : '[');
    }
    if (isDict && !item.startsWith('"')) throw new MalformedCall('a key that is no string');
    pieces(before + item);
    if (isDict) {
      yield* source.expect(':');
      pieces(':');
      yield* source.skipSpace();
      yield* readPythonValue(source, pieces, depth + 1);
      yield* source.skipSpace();
    }
    if ((yield* source.match(['}'])) === null) {
      yield* source.expect(',');
      yield* source.skipSpace();
    }
  }
  pieces(isDict === null ? '{}' : isDict ? '}' : ']');
}

function* readNumber(source: TextSource, pieces: TextPieces): Reading {
  pieces((yield* source.skip('-')) ?? '');
  while ((yield* source.match(LEADING_ZEROS)) !== null) source.advance(1);
  yield* readJsonValue(source, pieces);
}
