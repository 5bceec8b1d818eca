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
  const least = boundOf(schema, 'minimum', 'exclusiveMinimum', Math.max, path);
  const most = boundOf(schema, 'maximum', 'exclusiveMaximum', Math.min, path);
  const divisor = numberAt(schema, 'multipleOf', path);
  const whole = type === 'integer' || (divisor !== null && Number.isInteger(divisor));
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
