import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelSignature } from '../signature/model-signature.ts';
import { slotPieces } from './slot-graphs.ts';

describe('slotPieces', () => {
  it('cuts a slot into whole rows, many enough for a GPU and few enough to be numbered', () => {
    const sizes = fc.record({ kvHeads: fc.integer({ min: 1, max: 32 }), headSize: fc.constantFrom(8, 64, 128) });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 40_000 }), (size, slotTokens) => {
        const { count, size: values } = slotPieces(size as ModelSignature, slotTokens);
        expect(count * values).toBe(size.kvHeads * slotTokens * size.headSize);
        expect(values % size.headSize).toBe(0);
        expect(count).toBeLessThanOrEqual(8192);
      }),
    );
    expect(slotPieces({ kvHeads: 8, headSize: 128 } as ModelSignature, 8192)).toEqual({ count: 8192, size: 1024 });
    expect(slotPieces({ kvHeads: 3, headSize: 64 } as ModelSignature, 2048)).toEqual({ count: 6144, size: 64 });
  });
});
