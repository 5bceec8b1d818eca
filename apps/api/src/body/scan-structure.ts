import { JsonBodyError } from './json-body-error.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COLON = 0x3a;
const WHITESPACE = /\s/;
const NUMBER_CHARACTERS = /[-+.eE\d]+/y;

/**
 * One pass over a text that is known to be JSON, for what `JSON.parse` does not tell: how deep it is, whether an object
 * has a key twice or one that gets lost, whether a number overflows. Strings are skipped with `indexOf`, so long messages cost next to nothing.
 * @throws JsonBodyError
 */
export function scanStructure(text: string, maxDepth: number): void {
  /** Keys seen so far in each open object; null for an open array. */
  const open: (Set<string> | null)[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      const keys = open.at(-1);
      if (keys && isKey(text, end)) addKey(keys, text.slice(at, end + 1));
      at = end;
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      open.push(code === OPEN_OBJECT ? new Set() : null);
      if (open.length > maxDepth) {
        throw new JsonBodyError(`is nested more than ${maxDepth} levels deep`, 'Send a flatter object.');
      }
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      open.pop();
    } else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      at = endOfNumber(text, at);
    }
  }
}

/** Index of the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (true) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
}

function isKey(text: string, endOfString: number): boolean {
  let at = endOfString + 1;
  while (at < text.length && WHITESPACE.test(text.charAt(at))) at += 1;
  return text.charCodeAt(at) === COLON;
}

function addKey(keys: Set<string>, quoted: string): void {
  const key: string = JSON.parse(quoted);
  // An object would take it for its prototype and not for a member, so that nobody would see it.
  if (key === '__proto__') throw new JsonBodyError('has the key "__proto__"', 'Remove it: no field has that name.');
  if (keys.has(key)) throw new JsonBodyError(`has the key ${quoted} twice in one object`, 'Send it once.');
  keys.add(key);
}

/** Index of the last character of the number at `start`. */
function endOfNumber(text: string, start: number): number {
  NUMBER_CHARACTERS.lastIndex = start;
  const number = NUMBER_CHARACTERS.exec(text)?.[0] ?? '';
  if (!Number.isFinite(Number(number))) {
    throw new JsonBodyError(`has the number ${number.slice(0, 40)}, which is too large`, 'Send a smaller number.');
  }
  return start + number.length - 1;
}
