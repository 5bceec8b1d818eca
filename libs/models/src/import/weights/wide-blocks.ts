import { dequantize } from '../gguf/dequantize.ts';
import { stepOf } from './eight-bits.ts';
import type { Product } from './products.ts';

const WIDE_BLOCK = 64;

/**
 * 8 bits in blocks of 64, activations likewise, of any type of weights. A row has the same bits in every run. In blocks of 128 it has
 * not: kernels take two rows at a time, and where their number is odd they round the last one otherwise.
 */
export const wideBlocks: Product = (graph, name, value, matrix) => {
  const blocks = Math.ceil(matrix.columns / WIDE_BLOCK);
  graph.weights({
    initializers: [
      { name: `${name}.q`, type: 'uint8', dimensions: [matrix.rows, blocks, WIDE_BLOCK] },
      { name: `${name}.scale`, type: 'float32', dimensions: [matrix.rows, blocks] },
    ],
    async *chunks() {
      for await (const bytes of matrix.chunks()) {
        const weights = dequantize(matrix.type, bytes);
        const rows = weights.length / matrix.columns;
        const quanta = new Uint8Array(rows * blocks * WIDE_BLOCK).fill(128);
        const scales = new Float32Array(rows * blocks);
        for (let block = 0; block < scales.length; block++) {
          const row = Math.floor(block / blocks);
          const first = (block - row * blocks) * WIDE_BLOCK;
          const from = row * matrix.columns + first;
          const length = Math.min(WIDE_BLOCK, matrix.columns - first);
          const scale = stepOf(weights, from, length);
          scales[block] = scale;
          for (let i = 0; i < length; i++)
            quanta[block * WIDE_BLOCK + i] = 128 + Math.round((weights[from + i] ?? 0) / scale);
        }
        yield [quanta, new Uint8Array(scales.buffer)];
      }
    },
  });
  return graph.contrib('MatMulNBits', [value, `${name}.q`, `${name}.scale`], {
    K: matrix.columns,
    N: matrix.rows,
    bits: 8,
    block_size: WIDE_BLOCK,
    accuracy_level: 4,
  });
};
