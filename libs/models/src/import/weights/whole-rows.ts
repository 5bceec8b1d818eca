import { dequantize } from '../gguf/dequantize.ts';
import type { OnnxGraph } from '../onnx/onnx-graph.ts';
import { MOST, stepOf } from './eight-bits.ts';
import type { Product } from './products.ts';
import type { WeightMatrix } from './weight-matrix.ts';

/**
 * 8 bits for each output, activations in 8 bits for each row, of any type of weights. A row has the same bits in every run.
 * The quickest product for several rows, and the coarsest: what one large activation does to its row decides where it fits.
 */
export const wholeRows: Product = (graph, name, value, matrix) => {
  addTransposed(graph, name, matrix);
  const { quanta, scale } = quantizedRows(graph, value);
  const one = graph.constant('f32_1', 'float32', [], Float32Array.of(1));
  const middle = graph.constant('u8_128', 'uint8', [], Uint8Array.of(128));
  const inputs = [quanta, `${name}.q`, one, `${name}.scale`, middle];
  return graph.node('Mul', [graph.contrib('MatMulIntegerToFloat', inputs, {}), scale]);
};

/** Once for all products of a value. */
function quantizedRows(graph: OnnxGraph, value: string): { quanta: string; scale: string } {
  const made = { quanta: `${value}.row_quanta`, scale: `${value}.row_scale` };
  if (graph.has(made.quanta)) return made;
  const one = graph.constant('f32_1', 'float32', [], Float32Array.of(1));
  const middle = graph.constant('u8_128', 'uint8', [], Uint8Array.of(128));
  // A row of zeros keeps a scale that can be divided by.
  const least = graph.constant('f32_least', 'float32', [], Float32Array.of(1e-30));
  const axis = graph.int64('i64_minus_1', [-1]);
  const largest = graph.node('ReduceMax', [graph.node('Abs', [value]), axis], { keepdims: 1 });
  const steps = graph.constant('f32_127', 'float32', [], Float32Array.of(MOST));
  graph.node('Div', [graph.node('Max', [largest, least]), steps], {}, made.scale);
  graph.node('QuantizeLinear', [graph.node('Div', [value, made.scale]), one, middle], {}, made.quanta);
  return made;
}

/** `<name>.q` int8 [columns, rows] and `<name>.scale` [rows]; one matrix at a time is in memory. */
function addTransposed(graph: OnnxGraph, name: string, matrix: WeightMatrix): void {
  const { rows, columns } = matrix;
  graph.weights({
    initializers: [
      { name: `${name}.q`, type: 'int8', dimensions: [columns, rows] },
      { name: `${name}.scale`, type: 'float32', dimensions: [rows] },
    ],
    async *chunks() {
      const transposed = new Int8Array(columns * rows);
      const scales = new Float32Array(rows);
      let row = 0;
      for await (const bytes of matrix.chunks()) {
        const weights = dequantize(matrix.type, bytes);
        for (let from = 0; from < weights.length; from += columns, row++) {
          const scale = stepOf(weights, from, columns);
          scales[row] = scale;
          for (let i = 0; i < columns; i++) transposed[i * rows + row] = Math.round((weights[from + i] ?? 0) / scale);
        }
      }
      yield [new Uint8Array(transposed.buffer), new Uint8Array(scales.buffer)];
    },
  });
}
