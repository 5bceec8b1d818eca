import { describe, expect, it } from 'vitest';
import { PrefillSurprise } from './prefill-surprise.ts';

/** After runs with these ratios, again and again. */
function mostAfter(ratios: readonly number[], runs = 600): number {
  const surprise = new PrefillSurprise();
  for (let run = 0; run < runs; run++) surprise.learn(ratios[run % ratios.length]);
  return surprise.most;
}

describe('PrefillSurprise', () => {
  it('begins with a third more than foretold', () => {
    expect(mostAfter([], 0)).toBeCloseTo(4 / 3);
  });

  it('finds what nine of ten runs stay below', () => {
    const ratios = Array.from({ length: 20 }, (_, i) => 1 + ((i * 7) % 20) / 20);
    const most = mostAfter(ratios);
    const below = ratios.filter((ratio) => ratio <= most).length / ratios.length;
    expect(below).toBeGreaterThanOrEqual(0.8);
    expect(below).toBeLessThanOrEqual(0.95);
  });

  it('is not moved further by one reading that is far off', () => {
    const surprise = new PrefillSurprise();
    surprise.learn(1_000);
    expect(surprise.most).toBeLessThan(4 / 3 + 0.05);
  });

  it('stays within its bounds', () => {
    expect(mostAfter([0.1])).toBe(1.05);
    expect(mostAfter([100])).toBe(2);
  });
});
