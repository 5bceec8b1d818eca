import { InvalidArgumentError } from 'commander';

/** A parser for a flag or argument: a decimal number above 0, or from 0 where `zero` may be given. */
export function numberGiven(what: string, zero: 'or zero' | 'above zero' = 'above zero'): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isFinite(value) && (value > 0 || (zero === 'or zero' && value === 0))) return value;
    throw new InvalidArgumentError(`Give ${what} as a number ${zero === 'or zero' ? 'from 0' : 'above 0'}.`);
  };
}
