import { type CharacterSet, complement, contains, intersection } from './regular/character-set.ts';
import { type ByteRange, utf8Ranges } from './regular/utf8-ranges.ts';

/** How values are written: as JSON, or as a model's family writes them. Lists, objects and numbers are JSON's in all. */
export interface Spelling {
  readonly constants: { readonly true: string; readonly false: string; readonly null: string };
  readonly stringOpen: string;
  readonly stringClose: string;
  readonly keyOpen: string;
  readonly keyClose: string;
  /** The names that a key can be written for, as an ECMAScript pattern; null for all. */
  readonly keyPattern: string | null;
  /** Whether strings are written with JSON's short escapes; otherwise as they are. */
  readonly escaped: boolean;
  /** Texts that end something around the value wherever they stand: no string may hold one. */
  readonly forbidden: readonly string[];
}

export const JSON_SPELLING: Spelling = {
  constants: { true: 'true', false: 'false', null: 'null' },
  stringOpen: '"',
  stringClose: '"',
  keyOpen: '"',
  keyClose: '"',
  keyPattern: null,
  escaped: true,
  forbidden: [],
};

/** Python's literals; its strings read JSON's short escapes as JSON does. */
export const PYTHON_SPELLING: Spelling = {
  ...JSON_SPELLING,
  constants: { true: 'True', false: 'False', null: 'None' },
};

/** JSON's short escapes, by what they stand for. Other control characters are never written. */
const ESCAPES = new Map([
  [0x08, 'b'],
  [0x09, 't'],
  [0x0a, 'n'],
  [0x0c, 'f'],
  [0x0d, 'r'],
  [0x22, '"'],
  [0x5c, '\\'],
]);
const UNESCAPED: CharacterSet = complement([0, 0x1f, 0x22, 0x22, 0x5c, 0x5c]);

/** How the characters of a set are written inside a string. */
export function spellCharacters(spelling: Spelling): (set: CharacterSet) => ByteRange[][] {
  if (!spelling.escaped) return utf8Ranges;
  return (set) => [
    ...utf8Ranges(intersection(set, UNESCAPED)),
    ...[...ESCAPES].filter(([codePoint]) => contains(set, codePoint)).map(([, letter]) => bytesOf(`\\${letter}`)),
  ];
}

/** A JSON value as it is written. */
export function spellValue(spelling: Spelling, value: unknown): string {
  if (value === null) return spelling.constants.null;
  if (typeof value === 'boolean') return value ? spelling.constants.true : spelling.constants.false;
  if (typeof value === 'string') return `${spelling.stringOpen}${spellText(spelling, value)}${spelling.stringClose}`;
  if (Array.isArray(value)) return `[${value.map((item) => spellValue(spelling, item)).join(',')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, item]) => `${spellKey(spelling, key)}:${spellValue(spelling, item)}`,
  );
  return `{${members.join(',')}}`;
}

export function spellKey(spelling: Spelling, key: string): string {
  return `${spelling.keyOpen}${spellText(spelling, key)}${spelling.keyClose}`;
}

/** Whether a value, with all it holds, can be written. */
export function isSpellable(spelling: Spelling, value: unknown): boolean {
  if (typeof value === 'string') return !spelling.forbidden.some((mark) => value.includes(mark));
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every((item) => isSpellable(spelling, item));
  return Object.entries(value).every(([key, item]) => isSpellableKey(spelling, key) && isSpellable(spelling, item));
}

export function isSpellableKey(spelling: Spelling, key: string): boolean {
  if (spelling.keyPattern !== null && !new RegExp(spelling.keyPattern, 'u').test(key)) return false;
  return isSpellable(spelling, key);
}

function spellText(spelling: Spelling, value: string): string {
  return spelling.escaped ? JSON.stringify(value).slice(1, -1) : value;
}

function bytesOf(value: string): ByteRange[] {
  return Array.from(Buffer.from(value), (byte): ByteRange => [byte, byte]);
}
