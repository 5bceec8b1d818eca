import { ArrayTexts } from '../dialects/chat-answer/array-texts.ts';

/** Whether some of it was made into text before. */
export function holdsTexts(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return value instanceof ArrayTexts || Object.values(value).some(holdsTexts);
}

/** JSON of plain data, as `JSON.stringify` makes it; what is text already is given in the pieces in which it was made. */
export function* jsonInPieces(value: unknown): Generator<string> {
  if (value instanceof ArrayTexts) yield* value.pieces();
  else if (!holdsTexts(value)) yield JSON.stringify(value);
  else if (Array.isArray(value)) yield* arrayInPieces(value);
  else yield* objectInPieces(value as object);
}

function* arrayInPieces(array: readonly unknown[]): Generator<string> {
  for (const [index, element] of array.entries()) {
    yield index === 0 ? '[' : ',';
    yield* jsonInPieces(element);
  }
  yield ']';
}

function* objectInPieces(object: object): Generator<string> {
  let separator = '{';
  for (const [name, value] of Object.entries(object)) {
    if (value === undefined) continue;
    yield `${separator}${JSON.stringify(name)}:`;
    yield* jsonInPieces(value);
    separator = ',';
  }
  yield '}';
}
