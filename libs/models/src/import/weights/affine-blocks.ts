import { kScale } from '../gguf/dequantize.ts';
import type { TensorType } from '../gguf/tensor-types.ts';
import { BLOCK, halfToFloat } from './eight-bits.ts';
import type { WeightMatrix } from './weight-matrix.ts';

/** Blocks of 32 weights w = delta · q + minimum with q in 0 … 15. */
export interface AffineBlocks {
  /** [blocks, 16]: quantum i in the low four bits of byte i, quantum 16 + i in the high ones. */
  readonly halves: Uint8Array;
  /** [blocks] */
  readonly delta: Float32Array;
  /** [blocks] */
  readonly minimum: Float32Array;
}

export function affineBlocks(type: TensorType, bytes: Uint8Array): AffineBlocks {
  return type.name === 'Q4_1' ? q41(bytes) : q4K(bytes);
}

function q41(bytes: Uint8Array): AffineBlocks {
  const blocks = bytes.length / 20;
  const result = empty(blocks);
  for (let block = 0; block < blocks; block++) {
    const from = block * 20;
    result.delta[block] = halfToFloat((bytes[from] ?? 0) | ((bytes[from + 1] ?? 0) << 8));
    result.minimum[block] = halfToFloat((bytes[from + 2] ?? 0) | ((bytes[from + 3] ?? 0) << 8));
    result.halves.set(bytes.subarray(from + 4, from + 20), block * 16);
  }
  return result;
}

/** Q4_K keeps two blocks of 32 in the low and high halves of 32 bytes. */
function q4K(bytes: Uint8Array): AffineBlocks {
  const blocks = bytes.length / 18;
  const result = empty(blocks);
  for (let block = 0; block < blocks; block++) {
    const part = block & 7;
    const from = (block >> 3) * 144;
    const { delta, minimum } = kScale(bytes, from, part);
    result.delta[block] = delta;
    result.minimum[block] = minimum;
    const quanta = from + 16 + 32 * (part >> 1);
    const shift = 4 * (part & 1);
    for (let i = 0; i < 16; i++) {
      const low = ((bytes[quanta + i] ?? 0) >> shift) & 15;
      const high = ((bytes[quanta + 16 + i] ?? 0) >> shift) & 15;
      result.halves[block * 16 + i] = low | (high << 4);
    }
  }
  return result;
}

function empty(blocks: number): AffineBlocks {
  return {
    halves: new Uint8Array((blocks * BLOCK) / 2),
    delta: new Float32Array(blocks),
    minimum: new Float32Array(blocks),
  };
}

/** −minimum / delta on the grid of 17ths that the run-time weights have, ties to even. */
export function fineZeroPoint(delta: number, minimum: number): number {
  if (delta === 0) return 0;
  const exact = Math.fround(Math.fround(-17 * minimum) / delta);
  const rounded = Math.round(exact);
  return rounded - exact === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** Whether every block's zero point is a byte; one with weights of one sign only has none. */
export async function zeroPointsFit(matrix: WeightMatrix): Promise<boolean> {
  for await (const bytes of matrix.chunks()) {
    const { delta, minimum } = affineBlocks(matrix.type, bytes);
    for (let block = 0; block < delta.length; block++) {
      const zero = fineZeroPoint(delta[block] ?? 0, minimum[block] ?? 0);
      if (zero < 0 || zero > 255 || (delta[block] === 0 && minimum[block] !== 0)) return false;
    }
  }
  return true;
}
