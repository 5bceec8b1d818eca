import { HALF_TO_FLOAT } from './half.ts';
import type { TensorType } from './tensor-types.ts';

/** Weights of one block, written to `out` from `at` on. `view` covers the bytes that begin at `from`. */
type BlockReader = (bytes: Uint8Array, from: number, out: Float32Array, at: number) => void;

const half = (bytes: Uint8Array, at: number): number =>
  HALF_TO_FLOAT[(bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)] ?? Number.NaN;
const byte = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;
const signed = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 24) >> 24;

/** Block formats: ggml-quants.c, `dequantize_row_*`. */
const READERS: Readonly<Record<string, BlockReader>> = {
  F16: (bytes, from, out, at) => {
    out[at] = half(bytes, from);
  },
  F32: (bytes, from, out, at) => {
    out[at] = new DataView(bytes.buffer, bytes.byteOffset).getFloat32(from, true);
  },
  BF16: (bytes, from, out, at) => {
    BF16_BITS[0] = (byte(bytes, from) << 16) | (byte(bytes, from + 1) << 24);
    out[at] = BF16_FLOAT[0] ?? 0;
  },
  Q4_0: (bytes, from, out, at) => {
    const delta = half(bytes, from);
    for (let i = 0; i < 16; i++) {
      const pair = byte(bytes, from + 2 + i);
      out[at + i] = delta * ((pair & 15) - 8);
      out[at + 16 + i] = delta * ((pair >> 4) - 8);
    }
  },
  Q4_1: (bytes, from, out, at) => {
    const delta = half(bytes, from);
    const minimum = half(bytes, from + 2);
    for (let i = 0; i < 16; i++) {
      const pair = byte(bytes, from + 4 + i);
      out[at + i] = delta * (pair & 15) + minimum;
      out[at + 16 + i] = delta * (pair >> 4) + minimum;
    }
  },
  Q5_0: (bytes, from, out, at) => {
    const delta = half(bytes, from);
    for (let i = 0; i < 32; i++) out[at + i] = delta * (fifthBit(bytes, from + 2, from + 6, i) - 16);
  },
  Q5_1: (bytes, from, out, at) => {
    const delta = half(bytes, from);
    const minimum = half(bytes, from + 2);
    for (let i = 0; i < 32; i++) out[at + i] = delta * fifthBit(bytes, from + 4, from + 8, i) + minimum;
  },
  Q8_0: (bytes, from, out, at) => {
    const delta = half(bytes, from);
    for (let i = 0; i < 32; i++) out[at + i] = delta * signed(bytes, from + 2 + i);
  },
  Q4_K: (bytes, from, out, at) => {
    for (let part = 0; part < 8; part++) {
      const { delta, minimum } = kScale(bytes, from, part);
      const quanta = from + 16 + 32 * (part >> 1);
      for (let i = 0; i < 32; i++) {
        out[at + 32 * part + i] = delta * ((byte(bytes, quanta + i) >> (4 * (part & 1))) & 15) + minimum;
      }
    }
  },
  Q5_K: (bytes, from, out, at) => {
    for (let part = 0; part < 8; part++) {
      const { delta, minimum } = kScale(bytes, from, part);
      const quanta = from + 48 + 32 * (part >> 1);
      for (let i = 0; i < 32; i++) {
        const high = (byte(bytes, from + 16 + i) >> part) & 1;
        const low = (byte(bytes, quanta + i) >> (4 * (part & 1))) & 15;
        out[at + 32 * part + i] = delta * (low | (high << 4)) + minimum;
      }
    }
  },
  Q6_K: (bytes, from, out, at) => {
    const delta = half(bytes, from + 208);
    for (let i = 0; i < 256; i++) {
      const [side, quarter, column] = [i >> 7, (i >> 5) & 3, i & 31];
      const low = (byte(bytes, from + 64 * side + 32 * (quarter & 1) + column) >> (4 * (quarter >> 1))) & 15;
      const high = (byte(bytes, from + 128 + 32 * side + column) >> (2 * quarter)) & 3;
      out[at + i] = Math.fround(delta * signed(bytes, from + 192 + (i >> 4))) * ((low | (high << 4)) - 32);
    }
  },
};

const BF16_FLOAT = new Float32Array(1);
const BF16_BITS = new Uint32Array(BF16_FLOAT.buffer);

/** Quantum `i` of 5 bits: the four low ones in pairs from `low`, the fifth ones as one 32-bit number from `high`. */
function fifthBit(bytes: Uint8Array, high: number, low: number, i: number): number {
  const fifth = (byte(bytes, high + (i >> 3)) >> (i & 7)) & 1;
  return ((byte(bytes, low + (i & 15)) >> (i < 16 ? 0 : 4)) & 15) | (fifth << 4);
}

/** Scale and minimum of the 32 weights number `part` of a Q4_K or Q5_K block; six bits each, packed in 12 bytes. */
export function kScale(bytes: Uint8Array, from: number, part: number): { delta: number; minimum: number } {
  const at = from + 4;
  const near = part < 4;
  const scale = near
    ? byte(bytes, at + part) & 63
    : (byte(bytes, at + part + 4) & 15) | ((byte(bytes, at + part - 4) >> 6) << 4);
  const offset = near
    ? byte(bytes, at + part + 4) & 63
    : (byte(bytes, at + part + 4) >> 4) | ((byte(bytes, at + part) >> 6) << 4);
  return { delta: half(bytes, from) * scale, minimum: -(half(bytes, from + 2) * offset) };
}

/** The weights of whole blocks in float32. */
export function dequantize(type: TensorType, bytes: Uint8Array): Float32Array {
  const read = READERS[type.name];
  if (read === undefined) throw new TypeError(`no reader for ${type.name}`);
  const blocks = bytes.length / type.blockBytes;
  const out = new Float32Array(blocks * type.blockElements);
  for (let block = 0; block < blocks; block++) read(bytes, block * type.blockBytes, out, block * type.blockElements);
  return out;
}
