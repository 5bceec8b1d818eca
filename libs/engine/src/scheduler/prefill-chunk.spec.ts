import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endOnBlock, MIN_PREFILL_CHUNK_TOKENS, nextPrefillChunk } from './prefill-chunk.ts';

describe('nextPrefillChunk', () => {
  it('covers every prompt with chunks of two or more tokens, none above the limit', () => {
    const chunkTokens = fc.integer({ min: MIN_PREFILL_CHUNK_TOKENS, max: 40 });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 500 }), chunkTokens, (promptTokens, limit) => {
        let remaining = promptTokens;
        while (remaining > 0) {
          const chunk = nextPrefillChunk(remaining, limit);
          expect(chunk).toBeGreaterThanOrEqual(2);
          expect(chunk).toBeLessThanOrEqual(limit);
          remaining -= chunk;
        }
        expect(remaining).toBe(0);
      }),
    );
  });

  it('computes a prompt of one token as it is', () => {
    expect(nextPrefillChunk(1, 8)).toBe(1);
  });
});

describe('endOnBlock', () => {
  it('ends a chunk with a block where it reaches one, and never leaves one token', () => {
    expect(endOnBlock(48, 0)).toBe(48);
    expect(endOnBlock(50, 0)).toBe(48);
    expect(endOnBlock(50, 7)).toBe(41);
    expect(endOnBlock(12, 8)).toBe(8);
    // No block's end within it, or only one token before.
    expect(endOnBlock(12, 0)).toBe(12);
    expect(endOnBlock(12, 15)).toBe(12);
  });
});
