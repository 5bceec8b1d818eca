import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { affineBlocks } from '../weights/affine-blocks.ts';
import { eightBits } from '../weights/eight-bits.ts';
import { dequantize } from './dequantize.ts';
import { floatToHalf, HALF_TO_FLOAT } from './half.ts';
import { TENSOR_TYPES } from './tensor-types.ts';

const file = new URL('../../../../../test/fixtures/gguf/blocks.json', import.meta.url);
const entries: { type: string; bytes: string; weights: string }[] = JSON.parse(readFileSync(file, 'utf8'));
const typeOf = (name: string) => [...TENSOR_TYPES.values()].find((type) => type.name === name)!;
const floats = (text: string) => new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);

describe('dequantize', () => {
  it.each(entries)('gives the weights of $type as the gguf package does', ({ type, bytes, weights }) => {
    const expected = floats(weights);
    const found = dequantize(typeOf(type), Buffer.from(bytes, 'base64'));
    expect(found.length).toBe(expected.length);
    for (let i = 0; i < expected.length; i++)
      expect(Math.abs(found[i]! - expected[i]!)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(expected[i]!)));
  });

  it.each(entries.filter(({ type }) => /^Q[58]/.test(type) || type === 'Q6_K' || type === 'Q4_0'))(
    'holds $type in 8 bits, exactly or to 1/254 of a block',
    ({ type, bytes, weights }) => {
      const expected = floats(weights);
      const { quanta, scales } = eightBits(typeOf(type), Buffer.from(bytes, 'base64'));
      for (let block = 0; block < scales.length; block++) {
        const scale = scales instanceof Uint16Array ? HALF_TO_FLOAT[scales[block]!]! : scales[block]!;
        const bound = scales instanceof Uint16Array ? 1e-6 : scale / 2 + 1e-6;
        for (let i = block * 32; i < block * 32 + 32; i++)
          expect(Math.abs((quanta[i]! - 128) * scale - expected[i]!)).toBeLessThanOrEqual(bound);
      }
    },
  );

  it.each(entries.filter(({ type }) => type === 'Q4_1' || type === 'Q4_K'))(
    'takes $type apart into quanta, steps and minima',
    ({ type, bytes, weights }) => {
      const expected = floats(weights);
      const { halves, delta, minimum } = affineBlocks(typeOf(type), Buffer.from(bytes, 'base64'));
      for (let i = 0; i < expected.length; i++) {
        const block = i >> 5;
        const pair = halves[block * 16 + (i & 15)]!;
        const quantum = (i & 31) < 16 ? pair & 15 : pair >> 4;
        expect(quantum * delta[block]! + minimum[block]!).toBeCloseTo(expected[i]!, 4);
      }
    },
  );
});

describe('floatToHalf', () => {
  it('gives back every float16, and rounds to the nearest', () => {
    for (let bits = 0; bits < 65_536; bits++) {
      const value = HALF_TO_FLOAT[bits]!;
      if (!Number.isNaN(value)) expect(floatToHalf(value)).toBe(bits);
    }
    expect(floatToHalf(1 + 2 ** -11)).toBe(0x3c00); // a tie, to even
    expect(floatToHalf(1 + 3 * 2 ** -11)).toBe(0x3c02);
    expect(floatToHalf(65_520)).toBe(0x7c00);
    expect(floatToHalf(2 ** -25)).toBe(0);
  });
});
