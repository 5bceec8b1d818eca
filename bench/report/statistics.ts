import { quantile } from '../../apps/cli/src/replay/quantile.ts';

export { quantile };

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** Half the distance between the quartiles, relative to the median: how noisy the samples are. */
export const relativeSpread = (samples: readonly number[]): number =>
  (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2 / median(samples);
