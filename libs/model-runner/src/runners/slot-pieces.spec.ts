import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelSignature } from '../signature/model-signature.ts';
import { slotPieces } from './slot-pieces.ts';

describe('slotPieces', () => {
  it('cuts a slot of any length into whole rows, many enough for a GPU and few enough to be numbered', () => {
    const sizes = fc.record({ kvHeads: fc.integer({ min: 1, max: 32 }), headSize: fc.constantFrom(8, 64, 128) });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 40_000 }), (size, asked) => {
        const { slotTokens, count, size: values } = slotPieces(size as ModelSignature, asked);
        expect(count * values).toBe(size.kvHeads * slotTokens * size.headSize);
        expect(values % size.headSize).toBe(0);
        expect(count).toBeLessThanOrEqual(8192);
        expect(count).toBeGreaterThan(Math.min(size.kvHeads * asked, 8192) / 2 - size.kvHeads);
        expect(slotTokens).toBeGreaterThanOrEqual(asked);
        expect(slotTokens - asked).toBeLessThan(values / size.headSize);
      }),
    );
  });

  it.each([
    { kvHeads: 3, headSize: 64, asked: 2048, slotTokens: 2048, count: 6144, size: 64 },
    { kvHeads: 8, headSize: 128, asked: 8192, slotTokens: 8192, count: 8192, size: 1024 },
    // A prime.
    { kvHeads: 1, headSize: 64, asked: 8209, slotTokens: 8210, count: 4105, size: 128 },
  ])('gives $kvHeads heads of $asked tokens $count pieces', ({ kvHeads, headSize, asked, ...pieces }) => {
    expect(slotPieces({ kvHeads, headSize } as ModelSignature, asked)).toEqual(pieces);
  });
});
