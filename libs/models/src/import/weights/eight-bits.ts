import { dequantize } from '../gguf/dequantize.ts';
import { HALF_TO_FLOAT } from '../gguf/half.ts';
import type { TensorType } from '../gguf/tensor-types.ts';

/** Weights that share a scale. Rows in blocks of 32 keep a row's bits whatever shares the batch (decision 0031). */
export const BLOCK = 32;

export interface EightBits {
  /** [blocks, 32], around 128. */
  readonly quanta: Uint8Array;
  /** [blocks], float16 bits where the type's scales are such, else float32. */
  readonly scales: Uint16Array | Float32Array;
}

/** The blocks of a type in 8 bits: exact for Q8_0, Q5_0 and Q4_0, to 1/254 of each block's largest weight for others. */
export function eightBits(type: TensorType, bytes: Uint8Array): EightBits {
  if (type.halfScales && type.form !== 'affine4') return exactEightBits(type, bytes);
  return quantizeRows(dequantize(type, bytes));
}

function exactEightBits(type: TensorType, bytes: Uint8Array): EightBits {
  const blocks = bytes.length / type.blockBytes;
  const scales = new Uint16Array(blocks);
  const quanta = new Uint8Array(blocks * BLOCK);
  for (let block = 0; block < blocks; block++) {
    const from = block * type.blockBytes;
    scales[block] = (bytes[from] ?? 0) | ((bytes[from + 1] ?? 0) << 8);
    for (let i = 0; i < BLOCK; i++) quanta[block * BLOCK + i] = quantum(type.name, bytes, from, i) + 128;
  }
  return { quanta, scales };
}

/** Quantum `i` of a block, around zero. */
function quantum(name: string, bytes: Uint8Array, from: number, i: number): number {
  if (name === 'Q8_0') return ((bytes[from + 2 + i] ?? 0) << 24) >> 24;
  const shift = i < 16 ? 0 : 4;
  if (name === 'Q4_0') return (((bytes[from + 2 + (i & 15)] ?? 0) >> shift) & 15) - 8;
  const fifth = ((bytes[from + 2 + (i >> 3)] ?? 0) >> (i & 7)) & 1; // Q5_0
  return ((((bytes[from + 6 + (i & 15)] ?? 0) >> shift) & 15) | (fifth << 4)) - 16;
}

function quantizeRows(weights: Float32Array): EightBits {
  const blocks = weights.length / BLOCK;
  const scales = new Float32Array(blocks);
  const quanta = new Uint8Array(weights.length);
  for (let block = 0; block < blocks; block++) {
    let largest = 0;
    for (let i = 0; i < BLOCK; i++) largest = Math.max(largest, Math.abs(weights[block * BLOCK + i] ?? 0));
    const scale = Math.fround(largest / 127);
    scales[block] = scale;
    for (let i = 0; i < BLOCK; i++) {
      quanta[block * BLOCK + i] = scale === 0 ? 128 : Math.round((weights[block * BLOCK + i] ?? 0) / scale) + 128;
    }
  }
  return { quanta, scales };
}

export const halfToFloat = (bits: number): number => HALF_TO_FLOAT[bits] ?? Number.NaN;

/** The greatest magnitude of 8 bits around zero. */
export const MOST = 127;

/** What one step of 8 bits is worth for these weights; 1 where all are zero. */
export function stepOf(weights: Float32Array, from: number, length: number): number {
  let largest = 0;
  for (let i = from; i < from + length; i++) largest = Math.max(largest, Math.abs(weights[i] ?? 0));
  return largest === 0 ? 1 : Math.fround(largest / MOST);
}
