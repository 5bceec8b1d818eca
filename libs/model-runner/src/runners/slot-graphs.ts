import { ONNX_INT64, onnxTypeOf } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { type GraphNode, type SmallGraph, smallGraph } from './small-graph.ts';

const SLOT = 'slot';

/**
 * Reads one slot of every cache buffer: inputs `slot` [1] and the caches [slots, kvHeads, slotTokens, headSize];
 * outputs the slot's part of each, [1, kvHeads, slotTokens, headSize].
 */
export function readSlotGraph(signature: ModelSignature, slotTokens: number): SmallGraph {
  const parts = signature.cache.map((_, i) => ({ cache: `cache.${i}`, part: `part.${i}` }));
  return graph(signature, slotTokens, {
    slotRank: 1,
    inputs: parts.map(({ cache }) => [cache, 'slots']),
    outputs: parts.map(({ part }) => [part, 1]),
    nodes: parts.map(({ cache, part }) => ({ opType: 'Gather', input: [cache, SLOT], output: [part] })),
  });
}

/**
 * Writes one slot of every cache buffer: inputs `slot` [1, 1], the caches and the parts; outputs the caches. ScatterND
 * copies its data unless its output is the same memory, so both are bound to one buffer and only the slot is written.
 */
export function writeSlotGraph(signature: ModelSignature, slotTokens: number): SmallGraph {
  const parts = signature.cache.map((_, i) => ({ cache: `cache.${i}`, part: `part.${i}`, written: `written.${i}` }));
  return graph(signature, slotTokens, {
    slotRank: 2,
    inputs: [
      ...parts.map(({ cache }): SlotValue => [cache, 'slots']),
      ...parts.map(({ part }): SlotValue => [part, 1]),
    ],
    outputs: parts.map(({ written }) => [written, 'slots']),
    nodes: parts.map(({ cache, part, written }) => ({
      opType: 'ScatterND',
      input: [cache, SLOT, part],
      output: [written],
    })),
  });
}

/** A cache or a part of one: its name and its first dimension. */
type SlotValue = readonly [name: string, rows: number | string];

interface SlotParts {
  /** Of the tensor that tells the slot. */
  readonly slotRank: 1 | 2;
  readonly inputs: readonly SlotValue[];
  readonly outputs: readonly SlotValue[];
  readonly nodes: readonly GraphNode[];
}

function graph(signature: ModelSignature, slotTokens: number, parts: SlotParts): SmallGraph {
  const elemType = onnxTypeOf(signature.cacheType);
  const value = ([name, rows]: SlotValue) => ({
    name,
    elemType,
    dims: [rows, signature.kvHeads, slotTokens, signature.headSize],
  });
  const slot = { name: SLOT, elemType: ONNX_INT64, dims: parts.slotRank === 1 ? [1] : [1, 1] };
  return smallGraph({
    name: 'slot',
    nodes: parts.nodes,
    inputs: [slot, ...parts.inputs.map(value)],
    outputs: parts.outputs.map(value),
  });
}
