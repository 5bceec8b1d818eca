import { FORMATS } from './regular/formats.ts';
import { type Bound, NumberLanguages } from './regular/number-language.ts';
import type { Language, Languages } from './regular/regular-language.ts';
import { numberAt, refusal } from './schema-checks.ts';
import type { SchemaObject } from './schema-keywords.ts';
import type { SchemaPath } from './schema-refused-error.ts';

/**
 * The numbers that are valid against a schema, as JSON writes them.
 * @throws SchemaRefusedError where bounds or divisors can not be enforced
 */
export function numberLanguage(
  languages: Languages,
  type: 'integer' | 'number',
  schema: SchemaObject,
  path: SchemaPath,
): Language {
  const numbers = new NumberLanguages(languages);
  const range = formatRange(schema, path);
  const given = [
    inside(boundOf(schema, 'minimum', 'exclusiveMinimum', Math.max, path), range?.least ?? null, -1),
    inside(boundOf(schema, 'maximum', 'exclusiveMaximum', Math.min, path), range?.most ?? null, 1),
  ] as const;
  const divisor = numberAt(schema, 'multipleOf', path);
  const whole = type === 'integer' || (divisor !== null && Number.isInteger(divisor)) || range?.isWhole === true;
  const [least, most] = [reachable(given[0], -1, whole), reachable(given[1], 1, whole)];
  for (const bound of [least, most]) {
    if (!whole || bound === null || Number.isSafeInteger(Math.trunc(bound.value))) continue;
    throw refusal(
      path,
      `${bound.value} is a bound beyond the whole numbers that a double holds.`,
      'unsupported_parameter',
    );
  }
  let language: Language | null;
  if (whole) {
    language = numbers.integers(wholeBound(least, 1), wholeBound(most, -1));
  } else {
    const isBounded = given.some((bound) => bound !== null);
    language = isBounded ? numbers.between(least, most) : numbers.any();
  }
  if (language === null) {
    const keyword = ['minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum'].find(
      (name) => schema[name] !== undefined,
    );
    throw refusal(
      [...path, keyword ?? 'type'],
      'the bound has more digits than can be enforced; round it.',
      'unsupported_parameter',
    );
  }
  if (divisor === null || divisor === 1) return language;
  const multiples = numbers.multiplesOf(divisor);
  if (multiples === null) {
    throw refusal(
      [...path, 'multipleOf'],
      `${divisor} is not supported; whole numbers from 1 to 1,000 are, and decimals of up to three digits, as 0.01 and 2.5.`,
      'unsupported_parameter',
    );
  }
  return languages.both(language, multiples);
}

/** What a format allows; null for no limit. */
interface FormatRange {
  readonly isWhole: boolean;
  readonly least: number | null;
  readonly most: number | null;
}

/** Formats of numbers, as OpenAPI's registry has them. 64 bits are more than the digits of a whole number here. */
const NUMBER_FORMATS: ReadonlyMap<string, FormatRange> = new Map<string, FormatRange>([
  ...[8, 16, 32].flatMap((bits): [string, FormatRange][] => [
    [`int${bits}`, { isWhole: true, least: -(2 ** (bits - 1)), most: 2 ** (bits - 1) - 1 }],
    [`uint${bits}`, { isWhole: true, least: 0, most: 2 ** bits - 1 }],
  ]),
  ['int64', { isWhole: true, least: null, most: null }],
  ['uint64', { isWhole: true, least: 0, most: null }],
  ['float', { isWhole: false, least: null, most: null }],
  ['double', { isWhole: false, least: null, most: null }],
]);
/** Beyond it no number is written that has bounds. */
const WRITTEN_LIMIT = 1e15;

/** Null for anything. Formats of texts say nothing of numbers. */
function formatRange({ format }: SchemaObject, path: SchemaPath): FormatRange | null {
  if (format === undefined || (typeof format === 'string' && Object.hasOwn(FORMATS, format))) return null;
  const range = typeof format === 'string' ? NUMBER_FORMATS.get(format) : undefined;
  if (range !== undefined) return range;
  const known = [...NUMBER_FORMATS.keys()].join(', ');
  throw refusal(
    [...path, 'format'],
    `${JSON.stringify(format)} is not supported; these are: ${known}.`,
    'unsupported_parameter',
  );
}

/** The bound, or the range's where that is tighter. */
function inside(bound: Bound | null, limit: number | null, side: -1 | 1): Bound | null {
  if (limit === null) return bound;
  if (bound !== null && (side === 1 ? bound.value <= limit : bound.value >= limit)) return bound;
  return { value: limit, exclusive: false };
}

/** The bound, where numbers that are written could be beyond it: those far away are held to what can be written. */
function reachable(bound: Bound | null, side: -1 | 1, whole: boolean): Bound | null {
  if (bound === null || bound.value * side < WRITTEN_LIMIT) return bound;
  if (!whole) return null;
  return Number.isSafeInteger(Math.trunc(bound.value)) ? bound : { value: side * WRITTEN_LIMIT, exclusive: true };
}

/** The tighter of the inclusive and the exclusive bound. */
function boundOf(
  schema: SchemaObject,
  inclusive: string,
  exclusive: string,
  tighter: (a: number, b: number) => number,
  path: SchemaPath,
): Bound | null {
  const including = numberAt(schema, inclusive, path);
  const excluding = numberAt(schema, exclusive, path);
  if (excluding === null) return including === null ? null : { value: including, exclusive: false };
  if (including === null || tighter(including, excluding) === excluding) return { value: excluding, exclusive: true };
  return { value: including, exclusive: false };
}

/** @param step towards the inside: 1 for a lower bound, −1 for an upper one */
function wholeBound(bound: Bound | null, step: 1 | -1): bigint | null {
  if (bound === null) return null;
  const inside = step === 1 ? Math.ceil(bound.value) : Math.floor(bound.value);
  return BigInt(inside) + (bound.exclusive && inside === bound.value ? BigInt(step) : 0n);
}
