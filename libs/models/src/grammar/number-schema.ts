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
  const least = inside(boundOf(schema, 'minimum', 'exclusiveMinimum', Math.max, path), range, -1);
  const most = inside(boundOf(schema, 'maximum', 'exclusiveMaximum', Math.min, path), range, 1);
  const divisor = numberAt(schema, 'multipleOf', path);
  const whole =
    type === 'integer' || (divisor !== null && Number.isInteger(divisor)) || WHOLE_FORMATS.has(String(schema.format));
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
    language = least === null && most === null ? numbers.any() : numbers.between(least, most);
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
      `${divisor} is not supported; 1, 2, 5, 10, 20, 25, 50, 100 and other divisors of 1,000 are.`,
      'unsupported_parameter',
    );
  }
  return languages.both(language, multiples);
}

/** Formats of numbers, as OpenAPI has them. 64 bits are more than the digits of a whole number here. */
const NUMBER_FORMATS = new Set(['int32', 'int64', 'float', 'double']);
const WHOLE_FORMATS: ReadonlySet<string> = new Set(['int32', 'int64']);
const INT32 = 2 ** 31;

/** What the format allows, as the largest absolute value; null for no bound. Formats of texts say nothing of numbers. */
function formatRange({ format }: SchemaObject, path: SchemaPath): number | null {
  if (format === undefined || (typeof format === 'string' && Object.hasOwn(FORMATS, format))) return null;
  if (typeof format !== 'string' || !NUMBER_FORMATS.has(format)) {
    const known = [...NUMBER_FORMATS].join(', ');
    throw refusal(
      [...path, 'format'],
      `${JSON.stringify(format)} is not supported; these are: ${known}.`,
      'unsupported_parameter',
    );
  }
  return format === 'int32' ? INT32 : null;
}

/** The bound, or that of a range of whole numbers where it is tighter. */
function inside(bound: Bound | null, range: number | null, side: -1 | 1): Bound | null {
  if (range === null) return bound;
  const limit: Bound = { value: side === 1 ? range - 1 : -range, exclusive: false };
  return bound === null || (side === 1 ? bound.value > limit.value : bound.value < limit.value) ? limit : bound;
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
