import { describe, expect, it } from 'vitest';
import { philox4x32 } from './philox.ts';
import { uniformNoise } from './uniform-noise.ts';

describe('philox4x32', () => {
  // Known answers of the authors' library Random123 1.14, kat_vectors, philox4x32 10.
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('gives the published answer for counter %j', (counter, [key0, key1], expected) => {
    const block = Uint32Array.from(counter);
    philox4x32(block, key0!, key1!);
    expect([...block]).toEqual(expected);
  });
});

describe('uniformNoise', () => {
  it('is a pure function of seed, choice and position', () => {
    expect(uniformNoise(42, 1, 7)).toBe(uniformNoise(42, 1, 7));
    const draws = [0, 1, -1, 2 ** 32, -(2 ** 40), Number.MAX_SAFE_INTEGER].flatMap((seed) =>
      [0, 1].flatMap((choice) => [0, 1].map((position) => uniformNoise(seed, choice, position))),
    );
    expect(new Set(draws).size).toBe(draws.length);
  });

  it('is uniform in [0, 1) over positions', () => {
    const bins = new Array<number>(64).fill(0);
    for (let position = 0; position < 64_000; position++) bins[Math.floor(uniformNoise(5, 0, position) * 64)]! += 1;
    const chiSquare = bins.reduce((sum, count) => sum + (count - 1_000) ** 2 / 1_000, 0);
    expect(chiSquare).toBeLessThan(103.4); // 99.9 % quantile with 63 degrees of freedom
  });
});
