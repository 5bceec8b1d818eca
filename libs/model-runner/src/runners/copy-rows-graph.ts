import { ONNX_INT64, onnxTypeOf } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { type SmallGraph, smallGraph } from './small-graph.ts';

/**
 * Copies rows of headSize values between buffers of keys and values: inputs `from` [n] and `to` [n, 1], the buffers that
 * are read [rows, headSize] and those that are written [rows, headSize]; outputs the latter, bound to the same memory so
 * that only the rows are written. What `to` names, it names once: ScatterND promises no order.
 */
export function copyRowsGraph({ cache, cacheType, headSize }: ModelSignature): SmallGraph {
  const elemType = onnxTypeOf(cacheType);
  const rows = (name: string, count: string) => ({ name, elemType, dims: [count, headSize] });
  const numbered = (name: string) => cache.map((_, i) => `${name}.${i}`);
  return smallGraph({
    name: 'copy-rows',
    inputs: [
      { name: 'from', elemType: ONNX_INT64, dims: ['copied'] },
      { name: 'to', elemType: ONNX_INT64, dims: ['copied', 1] },
      ...numbered('read').map((name) => rows(name, 'readRows')),
      ...numbered('target').map((name) => rows(name, 'targetRows')),
    ],
    outputs: numbered('written').map((name) => rows(name, 'targetRows')),
    nodes: cache.flatMap((_, i) => [
      { opType: 'Gather', input: [`read.${i}`, 'from'], output: [`rows.${i}`] },
      { opType: 'ScatterND', input: [`target.${i}`, 'to', `rows.${i}`], output: [`written.${i}`] },
    ]),
  });
}
