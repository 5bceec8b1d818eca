import { InvalidArgumentError } from 'commander';

/** For commander: a whole number of 1 or more. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError(`${text} is no whole number of 1 or more.`);
  return value;
}

/** For commander: a whole number of 0 or more. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError(`${text} is no whole number of 0 or more.`);
  return value;
}

/** For commander: a number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(Number.isFinite(value) && value > 0)) throw new InvalidArgumentError(`${text} is no number above 0.`);
  return value;
}
