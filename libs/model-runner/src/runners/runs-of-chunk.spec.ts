import fc from 'fast-check';
import { expect, it } from 'vitest';
import { runsOfChunk } from './runs-of-chunk.ts';

it('takes a chunk in one run, unless its length would leave a query over', () => {
  expect(runsOfChunk(128, 16, Number.POSITIVE_INFINITY)).toEqual([128]);
  expect(runsOfChunk(129, 64, Number.POSITIVE_INFINITY)).toEqual([127, 2]);
  expect(runsOfChunk(1, 64, 16)).toEqual([1]);
});

it('cuts a chunk into runs that are not too long and of which none is a single token', () => {
  const chunk = fc.record({ tokens: fc.integer({ min: 2, max: 600 }), longest: fc.integer({ min: 4, max: 64 }) });
  fc.assert(
    fc.property(chunk, ({ tokens, longest }) => {
      const lengths = runsOfChunk(tokens, 64, longest);
      expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(tokens);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(longest);
      expect(Math.min(...lengths)).toBeGreaterThan(1);
    }),
  );
});
