import { describe, expect, it } from 'vitest';
import { loadedBytes } from './loaded-bytes.ts';
import type { Node } from './value-info.ts';

const [FLOAT32, UINT8, INT8, FLOAT16] = [1, 2, 3, 10];
const tensor = (name: string, dataType: number, ...dims: number[]) => ({ name, dataType, dims });
const node = (opType: string, input: string[], output: string, attributes: Record<string, number> = {}): Node => ({
  ...{ opType, input, output: [output] },
  attribute: Object.entries(attributes).map(([name, i]) => ({ name, i, type: 2 })),
});
const NBITS = { K: 64, N: 10, bits: 4, block_size: 32 };
/** 64 × 10 weights of 4 bits, for each of 20 blocks a scale and a sum of float32. */
const PACKED_NBITS = 320 + 20 * 8;

describe('loadedBytes', () => {
  it('counts blocks as they are packed, and their scales, widened, beside them', () => {
    const initializer = [tensor('q', UINT8, 10, 2, 16), tensor('scale', FLOAT16, 10, 2)];
    const cast = node('Cast', ['scale'], 'wide', { to: FLOAT32 });
    const product = node('MatMulNBits', ['x', 'q', 'wide'], 'y', NBITS);
    expect(loadedBytes({ initializer, node: [cast, product] })).toBe(PACKED_NBITS + 20 * 4);
  });

  it('counts what the graph makes of weights before they are packed', () => {
    const initializer = [tensor('low', UINT8, 320), tensor('high', UINT8, 320), tensor('scale', FLOAT32, 20)];
    const both = node('Concat', ['low', 'high'], 'q');
    const product = node('MatMulNBits', ['x', 'q', 'scale'], 'y', { ...NBITS, bits: 8 });
    expect(loadedBytes({ initializer, node: [both, product] })).toBe(640 + 20 * 8 + 20 * 4);
  });

  it('counts an embedding that is the head too twice, and weights of both branches of a phase', () => {
    const shared = { initializer: [tensor('table', FLOAT16, 50, 8)], node: [node('Gather', ['table', 'ids'], 'x')] };
    expect(loadedBytes(shared)).toBe(800);
    const turned = [node('Cast', ['table'], 'wide', { to: FLOAT32 }), node('Transpose', ['wide'], 'head')];
    const product = node('MatMul', ['x', 'head'], 'logits');
    expect(loadedBytes({ ...shared, node: [...shared.node, ...turned, product] })).toBe(800 + 1_600);

    const initializer = [tensor('narrow', INT8, 8, 4), tensor('other', INT8, 8, 4)];
    const branch = (name: string) => ({
      ...{ name: `${name}_branch`, type: 5 },
      g: { node: [node('MatMulInteger', ['x', name], `${name}.y`)] },
    });
    const choice = { ...node('If', ['several'], 'y'), attribute: [branch('narrow'), branch('other')] };
    expect(loadedBytes({ initializer, node: [choice] })).toBe(64);
  });
});
