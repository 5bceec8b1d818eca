import { MalformedCall } from '../malformed-call.ts';
import type { Reading, TextSource } from '../text-source.ts';
import { readJsonValue, type TextPieces } from './json-reader.ts';

const MAX_DEPTH = 64;
const MAX_KEY_LENGTH = 256;

/**
 * Reads a value as the Gemma families write it (bare keys, strings between two marks `quote`) and gives it as JSON text.
 * @throws MalformedCall
 */
export function* readGemmaValue(source: TextSource, quote: string, pieces: TextPieces, depth = 0): Reading {
  if (depth > MAX_DEPTH) throw new MalformedCall(`nested deeper than ${MAX_DEPTH} levels`);
  yield* source.skipSpace();
  if ((yield* source.skip(quote)) !== null) yield* readText(source, quote, pieces);
  else if ((yield* source.skip('{')) !== null) yield* readMembers(source, quote, pieces, depth);
  else if ((yield* source.skip('[')) !== null) yield* readItems(source, quote, pieces, depth);
  else yield* readJsonValue(source, pieces);
  yield* source.skipSpace();
}

function* readMembers(source: TextSource, quote: string, pieces: TextPieces, depth: number): Reading {
  pieces('{');
  yield* source.skipSpace();
  for (let next = yield* source.skip('}'); next !== '}'; next = yield* source.expect(',', '}')) {
    if (next === ',') pieces(',');
    yield* source.skipSpace();
    const quoted = (yield* source.skip(quote)) !== null;
    const key = yield* source.takeUntil([quoted ? quote : ':'], MAX_KEY_LENGTH);
    if (quoted) yield* source.expect(quote);
    yield* source.expect(':');
    pieces(`${JSON.stringify(key.trim())}:`);
    yield* readGemmaValue(source, quote, pieces, depth + 1);
  }
  pieces('}');
}

function* readItems(source: TextSource, quote: string, pieces: TextPieces, depth: number): Reading {
  pieces('[');
  yield* source.skipSpace();
  for (let next = yield* source.skip(']'); next !== ']'; next = yield* source.expect(',', ']')) {
    if (next === ',') pieces(',');
    yield* readGemmaValue(source, quote, pieces, depth + 1);
  }
  pieces(']');
}

function* readText(source: TextSource, quote: string, pieces: TextPieces): Reading {
  pieces('"');
  while ((yield* source.skip(quote)) === null) pieces(JSON.stringify(yield* source.takeCharacter()).slice(1, -1));
  pieces('"');
}
