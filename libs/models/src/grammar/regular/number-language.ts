import { characterSet } from './character-set.ts';
import type { Language, Languages } from './regular-language.ts';

/** Most digits before the point: what fits a 64-bit integer. */
const MAX_WHOLE_DIGITS = 19;
/** Digits that a double always tells apart. */
const EXACT_DIGITS = 15;
const MAX_FRACTION_DIGITS = 6;

/** Largest divisor, without its point. */
const MAX_DIVISOR = 1_000;
/** Most states for the digits of a multiple. */
const MULTIPLE_STATES = 1_500;

/** A limit of a number, written without an exponent. */
export interface Bound {
  readonly value: number;
  readonly exclusive: boolean;
}

/**
 * Numbers as JSON writes them, between bounds. Bounded numbers are written without an exponent, and with no more digits
 * than a double keeps apart, so that what a reader gets is within the bounds too.
 */
export class NumberLanguages {
  readonly #languages: Languages;
  readonly #digit: Language;

  constructor(languages: Languages) {
    this.#languages = languages;
    this.#digit = languages.set(characterSet([[0x30, 0x39]]));
  }

  /** Any number; with an exponent of two digits at most none of them overflows a double. */
  any(): Language {
    const { text, set, repeat, optional, concat, either } = this.#bound();
    const fraction = optional(concat(text('.'), repeat(this.#digit, 1, 17)));
    const sign = either(text('+'), text('-'));
    const exponent = optional(concat(set([0x45, 0x45, 0x65, 0x65]), optional(sign), repeat(this.#digit, 1, 2)));
    return concat(optional(text('-')), this.#natural(0n, null), fraction, exponent);
  }

  /** @param least, most null for no limit */
  integers(least: bigint | null, most: bigint | null): Language {
    const { text, concat, either } = this.#bound();
    const positive = this.#natural(least !== null && least > 0n ? least : 0n, most);
    const negativeLeast = most !== null && most < 0n ? -most : 1n;
    const negative = this.#natural(negativeLeast, least === null ? null : -least);
    return either(positive, concat(text('-'), negative));
  }

  /**
   * Multiples of a whole or decimal number, without an exponent and with at most the divisor's digits behind the point. What is
   * a multiple is decided by the digits, as they are written.
   * @returns null when the divisor is not above 0, or has more digits than can be enforced
   */
  multiplesOf(divisor: number): Language | null {
    const digits = divisor > 0 ? decimalOf(divisor) : null;
    if (digits === null) return null;
    const scaled = Number(digits.whole + digits.fraction);
    if (scaled > MAX_DIVISOR) return null;
    const { text, concat, either, both, optional, repeat } = this.#bound();
    const zeros = digits.fraction === '' ? (/0*$/.exec(digits.whole)?.[0] ?? '') : '';
    const rest = scaled / 10 ** zeros.length;
    const wholeDigits = Math.min(EXACT_DIGITS - digits.fraction.length - zeros.length, digitsFor(rest));
    const whole = this.#natural(zeros === '' ? 0n : 1n, 10n ** BigInt(wholeDigits) - 1n);
    // With fewer digits behind the point than the divisor has, the number is a multiple of a power of ten more.
    const written = Array.from({ length: digits.fraction.length + 1 }, (_, count) => {
      const divided = rest / greatestCommonDivisor(rest, 10 ** (digits.fraction.length - count));
      const fraction = count === 0 ? text('') : concat(text('.'), repeat(this.#digit, count, count));
      return concat(both(concat(whole, fraction), this.#languages.multiple(divided)), text(zeros));
    });
    return concat(optional(text('-')), either(...written, text('0')));
  }

  /** @returns null when a bound needs more digits than a double keeps apart */
  between(least: Bound | null, most: Bound | null): Language | null {
    const { text, concat, either, nothing } = this.#bound();
    const zero: Bound = { value: 0, exclusive: false };
    const aboveZero: Bound = { value: 0, exclusive: true };
    const mirrored = (bound: Bound | null): Bound | null => bound && { ...bound, value: 0 - bound.value };

    const hasPositive = most === null || most.value > 0 || (most.value === 0 && !most.exclusive);
    const positive = hasPositive ? this.#unsigned(least !== null && least.value >= 0 ? least : zero, most) : nothing;
    const hasNegative = least === null || least.value < 0;
    const smallest = most !== null && most.value < 0 ? mirrored(most) : aboveZero;
    const negative = hasNegative ? this.#unsigned(smallest ?? aboveZero, mirrored(least)) : nothing;
    return positive === null || negative === null ? null : either(positive, concat(text('-'), negative));
  }

  /** Numbers without a sign; bounds of 0 or more. */
  #unsigned(least: Bound, most: Bound | null): Language | null {
    const { text, concat, either, both, optional, repeat, nothing } = this.#bound();
    const low = decimalOf(least.value);
    const high = most === null ? null : decimalOf(most.value);
    if (low === null || (most !== null && high === null)) return null;
    const boundDigits = Math.max(low.fraction.length, high?.fraction.length ?? 0);
    const wholeDigits = Math.max(low.whole.length, high?.whole.length ?? 9);
    const fractionDigits = Math.min(Math.max(MAX_FRACTION_DIGITS, boundDigits + 2), EXACT_DIGITS - wholeDigits);
    if (fractionDigits < Math.max(1, boundDigits)) return null;

    const fraction = concat(text('.'), repeat(this.#digit, 1, fractionDigits));
    const anyFraction = optional(fraction);
    const fromLow = both(anyFraction, this.#fractionFrom(low.fraction, least.exclusive));
    if (high === null || most === null) {
      const larger = this.#natural(BigInt(low.whole) + 1n, 10n ** BigInt(wholeDigits) - 1n);
      return either(concat(text(low.whole), fromLow), concat(larger, anyFraction));
    }
    const toHigh = both(anyFraction, this.#fractionTo(high.fraction, most.exclusive));
    const [lowWhole, highWhole] = [BigInt(low.whole), BigInt(high.whole)];
    if (lowWhole > highWhole) return nothing;
    if (lowWhole === highWhole) return concat(text(low.whole), both(fromLow, toHigh));
    return either(
      concat(text(low.whole), fromLow),
      concat(this.#natural(lowWhole + 1n, highWhole - 1n), anyFraction),
      concat(text(high.whole), toHigh),
    );
  }

  /** What may follow the whole part so that the fraction is at least 0.`digits`; `digits` ends with no zero. */
  #fractionFrom(digits: string, exclusive: boolean): Language {
    const { text, set, star, concat, either, optional } = this.#bound();
    const rest = star(this.#digit);
    const more = concat(rest, set(characterSet([[0x31, 0x39]])), rest);
    if (digits === '') return exclusive ? concat(text('.'), more) : optional(concat(text('.'), rest));
    let tail = exclusive ? more : rest;
    for (const digit of [...digits].reverse()) {
      const larger = set(digit === '9' ? [] : characterSet([[digit.charCodeAt(0) + 1, 0x39]]));
      tail = either(concat(larger, rest), concat(text(digit), tail));
    }
    return concat(text('.'), tail);
  }

  /** What may follow the whole part so that the fraction is at most 0.`digits`. */
  #fractionTo(digits: string, exclusive: boolean): Language {
    const { text, set, star, concat, either, optional, nothing, empty } = this.#bound();
    const zeros = star(text('0'));
    if (digits === '') return exclusive ? nothing : optional(concat(text('.'), zeros));
    const rest = star(this.#digit);
    let tail = exclusive ? nothing : zeros;
    for (const digit of [...digits].reverse()) {
      const smaller = set(digit === '0' ? [] : characterSet([[0x30, digit.charCodeAt(0) - 1]]));
      tail = either(empty, concat(smaller, rest), concat(text(digit), tail));
    }
    return optional(concat(text('.'), tail));
  }

  /** Whole numbers of 0 or more without leading zeros. */
  #natural(least: bigint, most: bigint | null): Language {
    const { either } = this.#bound();
    const largest =
      most === null || String(most).length > MAX_WHOLE_DIGITS ? 10n ** BigInt(MAX_WHOLE_DIGITS) - 1n : most;
    const parts: Language[] = [];
    for (let width = String(least).length; width <= String(largest).length; width++) {
      const first = width === 1 ? 0n : 10n ** BigInt(width - 1);
      const last = 10n ** BigInt(width) - 1n;
      const [from, to] = [first > least ? first : least, last < largest ? last : largest];
      if (from <= to) parts.push(this.#sameWidth(String(from), String(to)));
    }
    return either(...parts);
  }

  #sameWidth(from: string, to: string): Language {
    const { text, set, repeat, concat, either, empty } = this.#bound();
    if (from === '') return empty;
    const width = from.length - 1;
    if (/^0*$/.test(from.slice(1)) && /^9*$/.test(to.slice(1))) {
      return concat(set(characterSet([[from.charCodeAt(0), to.charCodeAt(0)]])), repeat(this.#digit, width, width));
    }
    if (from[0] === to[0]) return concat(text(from[0]), this.#sameWidth(from.slice(1), to.slice(1)));
    const [low, high] = [from.charCodeAt(0) + 1, to.charCodeAt(0) - 1];
    return either(
      concat(text(from[0]), this.#sameWidth(from.slice(1), '9'.repeat(width))),
      concat(set(low > high ? [] : [low, high]), repeat(this.#digit, width, width)),
      concat(text(to[0]), this.#sameWidth('0'.repeat(width), to.slice(1))),
    );
  }

  /** The constructors, to be named without their owner. */
  #bound() {
    const languages = this.#languages;
    return {
      nothing: languages.nothing,
      empty: languages.empty,
      text: languages.text.bind(languages),
      set: languages.set.bind(languages),
      star: languages.star.bind(languages),
      repeat: languages.repeat.bind(languages),
      optional: languages.optional.bind(languages),
      concat: languages.concat.bind(languages),
      either: languages.either.bind(languages),
      both: languages.both.bind(languages),
    };
  }
}

/** The decimal digits of a number of 0 or more; null where JavaScript writes it with an exponent. */
function decimalOf(value: number): { readonly whole: string; readonly fraction: string } | null {
  const text = String(value);
  if (text.includes('e')) return null;
  const [whole, fraction = ''] = text.split('.');
  return { whole, fraction };
}

/** How many digits of a multiple can be told with so many states: behind each digit as many as there are remainders. */
function digitsFor(divisor: number): number {
  let digits = 0;
  for (let states = 0; digits < EXACT_DIGITS && states <= MULTIPLE_STATES; digits++) {
    states += Math.min(10 ** (digits + 1), divisor);
  }
  return digits - 1;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
