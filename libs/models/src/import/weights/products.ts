import { floatToHalf } from '../gguf/half.ts';
import { ELEMENT, type ElementType, type OnnxGraph } from '../onnx/onnx-graph.ts';
import { affineBlocks, fineZeroPoint } from './affine-blocks.ts';
import { BLOCK, eightBits } from './eight-bits.ts';
import type { WeightMatrix } from './weight-matrix.ts';

/**
 * Ways to hold a matrix and to multiply with it; each keeps a row's bits whatever else is in the batch.
 * docs/decisions/0002-shipped-model-layout.md has them measured, tools/models/weight_layouts.py has the same in Python.
 */
export type Product = (graph: OnnxGraph, name: string, value: string, matrix: WeightMatrix) => string;

const STORED: Readonly<Record<string, ElementType>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** Float32 products; weights stay in the file's type and are widened once at load. */
export const dense: Product = (graph, name, value, matrix) =>
  graph.node('MatMul', [value, graph.node('Transpose', [denseWeights(graph, name, matrix)])]);

/** The stored weights [rows, columns], as float32. */
export function denseWeights(graph: OnnxGraph, name: string, matrix: WeightMatrix): string {
  const type = STORED[matrix.type.name] ?? 'float32';
  if (!graph.has(name))
    graph.weights({
      initializers: [{ name, type, dimensions: [matrix.rows, matrix.columns] }],
      async *chunks() {
        for await (const bytes of matrix.chunks()) yield [bytes];
      },
    });
  if (type === 'float32') return name;
  const wide = `${name}.f32`;
  return graph.has(wide) ? wide : graph.node('Cast', [name], { to: ELEMENT.float32 }, wide);
}

/** 4 bits around 8, exactly Q4_0's. */
export const nb4: Product = (graph, name, value, matrix) => {
  const blocks = matrix.columns / BLOCK;
  graph.weights({
    initializers: [
      { name: `${name}.q`, type: 'uint8', dimensions: [matrix.rows, blocks, BLOCK / 2] },
      { name: `${name}.scale`, type: 'float16', dimensions: [matrix.rows, blocks] },
    ],
    async *chunks() {
      for await (const bytes of matrix.chunks()) {
        const count = bytes.length / 18;
        const scales = new Uint8Array(2 * count);
        const halves = new Uint8Array(16 * count);
        for (let block = 0; block < count; block++) {
          scales.set(bytes.subarray(block * 18, block * 18 + 2), block * 2);
          halves.set(bytes.subarray(block * 18 + 2, block * 18 + 18), block * 16);
        }
        yield [neighboursTogether(halves), scales];
      }
    },
  });
  return matMulNBits(graph, [value, `${name}.q`, widened(graph, `${name}.scale`)], matrix, 4);
};

/** 8 bits around 128: exactly Q8_0's and Q5_0's, others re-quantized by blocks of 32. */
export const nb8Symmetric: Product = (graph, name, value, matrix) => {
  const { quanta, scales } = eightBitWeights(graph, name, matrix, false);
  return matMulNBits(graph, [value, quanta, scales], matrix, 8);
};

/** Adds `<name>.q` and `<name>.scale`, once; `apart`: scales as GatherBlockQuantized takes them, [rows, blocks, 1]. */
export function eightBitWeights(
  graph: OnnxGraph,
  name: string,
  matrix: WeightMatrix,
  apart: boolean,
): { quanta: string; scales: string } {
  const blocks = matrix.columns / BLOCK;
  const half = matrix.type.halfScales && matrix.type.form !== 'affine4';
  const dimensions = [matrix.rows, blocks, ...(apart ? [1] : [])];
  if (!graph.has(`${name}.q`))
    graph.weights({
      initializers: [
        { name: `${name}.q`, type: 'uint8', dimensions: [matrix.rows, blocks, BLOCK] },
        { name: `${name}.scale`, type: half ? 'float16' : 'float32', dimensions },
      ],
      async *chunks() {
        for await (const bytes of matrix.chunks()) {
          const { quanta, scales } = eightBits(matrix.type, bytes);
          yield [quanta, bytesOf(scales)];
        }
      },
    });
  return { quanta: `${name}.q`, scales: half ? widened(graph, `${name}.scale`) : `${name}.scale` };
}

/**
 * 4 bits in the file, 8 at run time: w = (17·q − round(17·z))·delta/17 with z = −minimum/delta, exact to delta/34.
 * 17·q is q in both halves of the byte; the nodes that put it there are folded at load.
 */
export const nb8Affine: Product = (graph, name, value, matrix) => {
  const blocks = matrix.columns / BLOCK;
  const scaleType = matrix.type.halfScales ? 'float16' : 'float32';
  graph.weights({
    initializers: [
      { name: `${name}.q`, type: 'uint8', dimensions: [matrix.rows, blocks, BLOCK / 2] },
      { name: `${name}.scale`, type: scaleType, dimensions: [matrix.rows, blocks] },
      { name: `${name}.zero`, type: 'uint8', dimensions: [matrix.rows, blocks] },
    ],
    async *chunks() {
      for await (const bytes of matrix.chunks()) {
        const { halves, delta, minimum } = affineBlocks(matrix.type, bytes);
        const zero = delta.map((value, block) => fineZeroPoint(value, minimum[block] ?? 0));
        yield [halves, bytesOf(scaleType === 'float16' ? halvesOf(delta) : delta), Uint8Array.from(zero)];
      }
    },
  });
  const four = graph.constant('u8_4', 'uint8', [], Uint8Array.of(4));
  const low = graph.constant('u8_15', 'uint8', [], Uint8Array.of(15));
  const seventeenth = graph.constant('f32_1_17', 'float32', [], Float32Array.of(1 / 17));
  const right = graph.node('BitShift', [`${name}.q`, four], { direction: 'RIGHT' });
  const quanta = graph.node('Concat', [graph.node('BitwiseAnd', [`${name}.q`, low]), right], { axis: -1 });
  const spread = graph.node('BitwiseOr', [quanta, graph.node('BitShift', [quanta, four], { direction: 'LEFT' })]);
  const scale = scaleType === 'float16' ? widened(graph, `${name}.scale`) : `${name}.scale`;
  const scales = graph.node('Mul', [scale, seventeenth]);
  return matMulNBits(graph, [value, spread, scales, `${name}.zero`], matrix, 8);
};

/** 4 bits: delta·(q − 8) by MatMulNBits plus (minimum + 8·delta) times the input's block sums in float32. */
export const nb4Sums: Product = (graph, name, value, matrix) => {
  const blocks = matrix.columns / BLOCK;
  const scaleType = matrix.type.halfScales ? 'float16' : 'float32';
  graph.weights({
    initializers: [
      { name: `${name}.q`, type: 'uint8', dimensions: [matrix.rows, blocks, BLOCK / 2] },
      { name: `${name}.scale`, type: scaleType, dimensions: [matrix.rows, blocks] },
    ],
    async *chunks() {
      for await (const bytes of matrix.chunks()) {
        const { halves, delta } = affineBlocks(matrix.type, bytes);
        yield [neighboursTogether(halves), bytesOf(scaleType === 'float16' ? halvesOf(delta) : delta)];
      }
    },
  });
  graph.weights({
    initializers: [{ name: `${name}.offset`, type: scaleType, dimensions: [blocks, matrix.rows] }],
    async *chunks() {
      const transposed = new Float32Array(blocks * matrix.rows);
      let done = 0;
      for await (const bytes of matrix.chunks()) {
        const { delta, minimum } = affineBlocks(matrix.type, bytes);
        for (let i = 0; i < delta.length; i++, done++) {
          const at = (done % blocks) * matrix.rows + Math.floor(done / blocks);
          transposed[at] = (minimum[i] ?? 0) + 8 * (delta[i] ?? 0);
        }
      }
      yield [bytesOf(scaleType === 'float16' ? halvesOf(transposed) : transposed)];
    },
  });
  const as32 = (part: string) => (scaleType === 'float16' ? widened(graph, part) : part);
  const product = matMulNBits(graph, [value, `${name}.q`, as32(`${name}.scale`)], matrix, 4);
  const sums = graph.node('MatMul', [blockSums(graph, value, blocks), as32(`${name}.offset`)]);
  return graph.node('Add', [product, sums]);
};

function blockSums(graph: OnnxGraph, value: string, blocks: number): string {
  const name = `${value}.sums`;
  if (graph.has(name)) return name;
  const apart = graph.node('Reshape', [value, graph.int64(`blocks_${blocks}`, [0, 0, blocks, BLOCK])]);
  return graph.node('ReduceSum', [apart, graph.int64('i64_minus_1', [-1])], { keepdims: 0 }, name);
}

export function matMulNBits(graph: OnnxGraph, inputs: readonly string[], matrix: WeightMatrix, bits: 4 | 8): string {
  return graph.contrib('MatMulNBits', inputs, {
    K: matrix.columns,
    N: matrix.rows,
    bits,
    block_size: BLOCK,
    accuracy_level: 4,
  });
}

function widened(graph: OnnxGraph, name: string): string {
  const wide = `${name}.f32`;
  return graph.has(wide) ? wide : graph.node('Cast', [name], { to: ELEMENT.float32 }, wide);
}

/** Quanta i and 16 + i in one byte, to quanta 2i and 2i + 1 in one byte, which is MatMulNBits' order. */
function neighboursTogether(halves: Uint8Array): Uint8Array {
  const out = new Uint8Array(halves.length);
  for (let block = 0; block < halves.length; block += 16) {
    for (let i = 0; i < 8; i++) {
      const even = halves[block + 2 * i] ?? 0;
      const odd = halves[block + 2 * i + 1] ?? 0;
      out[block + i] = (even & 15) | ((odd & 15) << 4);
      out[block + 8 + i] = (even >> 4) | (odd & 0xf0);
    }
  }
  return out;
}

function halvesOf(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, floatToHalf);
}

function bytesOf(values: Uint16Array | Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
