import { InvalidArgumentError } from 'commander';

const MOST_SECONDS = 180;

/** For commander. */
export function secondsToMeasure(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= MOST_SECONDS) return seconds;
  throw new InvalidArgumentError(`${text} is no number above 0 and at most ${MOST_SECONDS}.`);
}
