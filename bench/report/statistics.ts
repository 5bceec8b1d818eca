/** Value below which the share `quantile` of the samples lies (linear interpolation between ranks). */
export function quantile(samples: readonly number[], quantile: number): number {
  if (samples.length === 0) throw new RangeError('no samples to take a quantile of');
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = (sorted.length - 1) * quantile;
  const below = sorted[Math.floor(rank)] ?? Number.NaN;
  const above = sorted[Math.ceil(rank)] ?? Number.NaN;
  return below + (above - below) * (rank - Math.floor(rank));
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** Half the distance between the quartiles, relative to the median: how noisy the samples are. */
export const relativeSpread = (samples: readonly number[]): number =>
  (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2 / median(samples);
