/** Value below which the share `quantile` of the samples lies (linear interpolation between ranks). */
export function quantile(samples: readonly number[], quantile: number): number {
  if (samples.length === 0) throw new RangeError('no samples to take a quantile of');
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = (sorted.length - 1) * quantile;
  const below = sorted[Math.floor(rank)] ?? Number.NaN;
  const above = sorted[Math.ceil(rank)] ?? Number.NaN;
  return below + (above - below) * (rank - Math.floor(rank));
}
