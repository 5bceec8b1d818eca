import { MergedPatterns } from './merge-schemas.ts';
import { ANY_CHARACTER, type CharacterSet, complement, intersection } from './regular/character-set.ts';
import { FORMATS, UNENFORCED_FORMATS } from './regular/formats.ts';
import { parsePattern } from './regular/parse-pattern.ts';
import { PatternError } from './regular/pattern-error.ts';
import type { Language, Languages } from './regular/regular-language.ts';
import { countAt, refusal } from './schema-checks.ts';
import type { SchemaObject } from './schema-keywords.ts';
import type { SchemaPath } from './schema-refused-error.ts';

const MAX_LENGTH_BOUND = 1_000_000;
/** Beside a pattern or a format each character of the least length is states of its own. */
const MAX_LEAST_BESIDE_PATTERN = 512;
const MAX_PATTERN_CHARACTERS = 512;

/** Characters that can stand in a string that is written: any but the control characters without a short escape. */
export const WRITABLE: CharacterSet = intersection(ANY_CHARACTER, complement([0, 7, 0x0b, 0x0b, 0x0e, 0x1f]));

/** The texts that are valid: those of the language that have as many characters. */
export interface StringTexts {
  readonly language: Language;
  /** Whether a pattern or a format says more than that characters can be written. */
  readonly isShaped: boolean;
  /** 0 where it is shaped: then the language has it. */
  readonly least: number;
  /** null for no limit. */
  readonly most: number | null;
}

/**
 * The texts that are valid against a schema's string keywords.
 * @throws SchemaRefusedError where one can not be enforced
 */
export function stringTexts(languages: Languages, schema: SchemaObject, path: SchemaPath): StringTexts {
  const anyText = languages.star(languages.set(WRITABLE));
  const least = countAt(schema, 'minLength', path) ?? 0;
  const most = countAt(schema, 'maxLength', path);
  const shapes = [...formatLanguage(languages, schema, path), ...patternLanguage(languages, schema, path)];
  const isShaped = shapes.length > 0;
  for (const [keyword, length, bound] of [
    ['minLength', least, isShaped ? MAX_LEAST_BESIDE_PATTERN : MAX_LENGTH_BOUND],
    ['maxLength', most ?? 0, MAX_LENGTH_BOUND],
  ] as const) {
    if (length <= bound) continue;
    const where = bound === MAX_LENGTH_BOUND ? '' : ' beside a pattern or format';
    const message = `${length} is more than ${bound}, the longest that is enforced${where}.`;
    throw refusal([...path, keyword], message, 'unsupported_parameter');
  }
  if (most !== null && least > most)
    throw refusal([...path, 'minLength'], 'no text fits its pattern, format and length.');
  if (!isShaped) return { language: anyText, isShaped, least, most };
  return { language: withLength(languages, languages.both(anyText, ...shapes), least, null), isShaped, least: 0, most };
}

/** The texts of the language that have as many characters, as one language. */
export function withLength(languages: Languages, language: Language, least: number, most: number | null): Language {
  if (least === 0 && most === null) return language;
  return languages.both(language, languages.repeat(languages.set(WRITABLE), least, most));
}

function formatLanguage(languages: Languages, { format, pattern: shape }: SchemaObject, path: SchemaPath): Language[] {
  if (format === undefined) return [];
  const pattern = typeof format === 'string' && Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  if (pattern !== undefined) return [parsePattern(languages, pattern)];
  // A name that JSON Schema does not define asserts nothing; generators write one beside the pattern that it stands for.
  if (typeof format === 'string' && shape !== undefined && !UNENFORCED_FORMATS.has(format)) return [];
  const known = Object.keys(FORMATS).join(', ');
  throw refusal(
    [...path, 'format'],
    `${JSON.stringify(format)} is not supported; these are: ${known}.`,
    'unsupported_parameter',
  );
}

function patternLanguage(languages: Languages, { pattern }: SchemaObject, at: SchemaPath): Language[] {
  if (pattern === undefined) return [];
  const patterns = pattern instanceof MergedPatterns ? pattern.patterns : [pattern];
  return patterns.map((each) => languageOf(languages, each, [...at, 'pattern']));
}

/** The texts in which a schema's pattern finds a match. @throws SchemaRefusedError */
export function languageOf(languages: Languages, pattern: unknown, path: SchemaPath): Language {
  if (typeof pattern !== 'string') throw refusal(path, 'it is not a string.');
  if (pattern.length > MAX_PATTERN_CHARACTERS)
    throw refusal(path, `it is longer than ${MAX_PATTERN_CHARACTERS} characters.`);
  try {
    return parsePattern(languages, pattern);
  } catch (error) {
    if (error instanceof PatternError) throw refusal(path, `${error.message}.`, 'unsupported_parameter');
    throw error;
  }
}
