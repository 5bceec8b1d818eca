import { dequantize } from '../gguf/dequantize.ts';
import type { OnnxGraph } from '../onnx/onnx-graph.ts';
import { stepOf } from './eight-bits.ts';
import type { Product } from './products.ts';
import type { WeightMatrix } from './weight-matrix.ts';

/** Weights that share a scale in products of any number of rows. */
const WIDE_BLOCK = 64;
/** The same where rows are even in number: kernels take two rows at a time, and round the last of an odd number otherwise. */
const WIDEST_BLOCK = 128;

/** 8 bits in blocks of 64, activations likewise, of any type of weights. A row has the same bits in every run. */
export const wideBlocks: Product = (graph, name, value, matrix) => blocksOf(graph, name, value, matrix, WIDE_BLOCK);

/**
 * 8 bits in blocks of 128, of any type of weights, for a value [rows, 1, columns]: the quickest for few rows, which wait for
 * memory. An odd number of rows has the first one once more, so that a row has the same bits in every run.
 */
export const widestBlocks: Product = (graph, name, value, matrix) => {
  const first = graph.int64('first', [0]);
  const rows = graph.node('Gather', [graph.node('Shape', [value]), first], { axis: 0 });
  const odd = graph.node('Mod', [rows, graph.int64('two', [2])]);
  const more = graph.node('Slice', [value, first, odd, first]);
  const even = graph.node('Concat', [value, more], { axis: 0 });
  const product = blocksOf(graph, name, even, matrix, WIDEST_BLOCK);
  return graph.node('Slice', [product, first, rows, first]);
};

function blocksOf(graph: OnnxGraph, name: string, value: string, matrix: WeightMatrix, blockSize: number): string {
  const blocks = Math.ceil(matrix.columns / blockSize);
  graph.weights({
    initializers: [
      { name: `${name}.q`, type: 'uint8', dimensions: [matrix.rows, blocks, blockSize] },
      { name: `${name}.scale`, type: 'float32', dimensions: [matrix.rows, blocks] },
    ],
    async *chunks() {
      for await (const bytes of matrix.chunks()) {
        const weights = dequantize(matrix.type, bytes);
        const rows = weights.length / matrix.columns;
        const quanta = new Uint8Array(rows * blocks * blockSize).fill(128);
        const scales = new Float32Array(rows * blocks);
        for (let block = 0; block < scales.length; block++) {
          const row = Math.floor(block / blocks);
          const first = (block - row * blocks) * blockSize;
          const from = row * matrix.columns + first;
          const length = Math.min(blockSize, matrix.columns - first);
          const scale = stepOf(weights, from, length);
          scales[block] = scale;
          for (let i = 0; i < length; i++)
            quanta[block * blockSize + i] = 128 + Math.round((weights[from + i] ?? 0) / scale);
        }
        yield [quanta, new Uint8Array(scales.buffer)];
      }
    },
  });
  return graph.contrib('MatMulNBits', [value, `${name}.q`, `${name}.scale`], {
    K: matrix.columns,
    N: matrix.rows,
    bits: 8,
    block_size: blockSize,
    accuracy_level: 4,
  });
}
