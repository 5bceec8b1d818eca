import { ELEMENT, type ElementType, type OnnxGraph } from '../onnx/onnx-graph.ts';
import { BLOCK } from './eight-bits.ts';
import { denseWeights, eightBitWeights, matMulNBits } from './products.ts';
import type { WeightMatrix } from './weight-matrix.ts';

const NAME = 'embedding';

/** Rows of the embedding for token ids, float32 [batch, sequence, hidden]; the weights are stored once. */
export function embeddingLookup(graph: OnnxGraph, ids: string, matrix: WeightMatrix, asDense: boolean): string {
  if (asDense) {
    denseWeights(graph, NAME, matrix);
    const rows = graph.node('Gather', [NAME, ids], { axis: 0 });
    const type: ElementType = matrix.type.name === 'F32' ? 'float32' : 'float16';
    return type === 'float32' ? rows : graph.node('Cast', [rows], { to: ELEMENT.float32 });
  }
  const { quanta, scales } = eightBitWeights(graph, NAME, matrix, true);
  const gathered = graph.contrib('GatherBlockQuantized', [quanta, ids, scales], {
    gather_axis: 0,
    quantize_axis: 2,
    block_size: BLOCK,
    bits: 8,
  });
  return graph.node('Reshape', [gathered, graph.int64('hidden_together', [0, 0, matrix.columns])]);
}

/** The head of a model that shares it with the embedding: the same initializers. */
export function embeddingHead(graph: OnnxGraph, value: string, matrix: WeightMatrix, asDense: boolean): string {
  if (asDense) return graph.node('MatMul', [value, graph.node('Transpose', [denseWeights(graph, NAME, matrix)])]);
  const { quanta, scales } = eightBitWeights(graph, NAME, matrix, true);
  const flat = graph.node('Reshape', [scales, graph.int64('head_scales', [matrix.rows, matrix.columns / BLOCK])]);
  return matMulNBits(graph, [value, quanta, flat], matrix, 8);
}
