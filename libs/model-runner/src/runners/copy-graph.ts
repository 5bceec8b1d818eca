import { ONNX_INT64, onnxTypeOf } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { type SmallGraph, smallGraph } from './small-graph.ts';

/** The side of a copy, or both, of whose buffers only those pieces count that an input numbers; of the other side all. */
export type NumberedSide = 'from' | 'to' | 'both';

/**
 * Copies pieces of `size` values between buffers of keys and values. Inputs `from` [n] and `to` [n, 1], each where its side is numbered; the buffers
 * that are read [pieces, size]; where `to` is numbered, those that are written [pieces, size]. Outputs the latter. ScatterND copies its
 * data unless its output is the same memory, so both are bound to one buffer and only the numbered pieces are written. What `to` names, it
 * names once: ScatterND promises no order.
 */
export function copyGraph({ cache, cacheType }: ModelSignature, size: number, numbered: NumberedSide): SmallGraph {
  const [gathers, scatters] = [numbered !== 'to', numbered !== 'from'];
  const elemType = onnxTypeOf(cacheType);
  const buffers = (name: string, pieces: string) =>
    cache.map((_, i) => ({ name: `${name}.${i}`, elemType, dims: [pieces, size] }));
  return smallGraph({
    name: 'copy',
    inputs: [
      ...(gathers ? [{ name: 'from', elemType: ONNX_INT64, dims: ['copied'] }] : []),
      ...(scatters ? [{ name: 'to', elemType: ONNX_INT64, dims: ['copied', 1] }] : []),
      ...buffers('read', gathers ? 'readPieces' : 'copied'),
      ...(scatters ? buffers('target', 'targetPieces') : []),
    ],
    outputs: buffers('written', scatters ? 'targetPieces' : 'copied'),
    nodes: cache.flatMap((_, i) => {
      const written = `written.${i}`;
      const gathered = scatters ? `pieces.${i}` : written;
      const pieces = gathers ? gathered : `read.${i}`;
      return [
        ...(gathers ? [{ opType: 'Gather', input: [`read.${i}`, 'from'], output: [gathered] }] : []),
        ...(scatters ? [{ opType: 'ScatterND', input: [`target.${i}`, 'to', pieces], output: [written] }] : []),
      ];
    }),
  });
}
