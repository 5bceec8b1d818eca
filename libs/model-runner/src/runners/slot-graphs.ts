import onnxProto from 'onnx-proto';
import { ONNX_INT64, onnxTypeOf } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';

/** A small graph with the names of its inputs and outputs, in the order in which they are set. */
export interface SlotGraph {
  readonly model: Uint8Array;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
}

const OPSET = 17;
const IR_VERSION = 8;
const SLOT = 'slot';

/**
 * Reads one slot of every cache buffer: inputs `slot` [1] and the caches [slots, kvHeads, slotTokens, headSize];
 * outputs the slot's part of each, [1, kvHeads, slotTokens, headSize].
 */
export function readSlotGraph(signature: ModelSignature, slotTokens: number): SlotGraph {
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
export function writeSlotGraph(signature: ModelSignature, slotTokens: number): SlotGraph {
  const parts = signature.cache.map((_, i) => ({ cache: `cache.${i}`, part: `part.${i}`, written: `written.${i}` }));
  return graph(signature, slotTokens, {
    slotRank: 2,
    inputs: [
      ...parts.map(({ cache }): GraphValue => [cache, 'slots']),
      ...parts.map(({ part }): GraphValue => [part, 1]),
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
type GraphValue = readonly [name: string, rows: number | string];

interface GraphParts {
  /** Of the tensor that tells the slot. */
  readonly slotRank: 1 | 2;
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly nodes: readonly { opType: string; input: string[]; output: string[] }[];
}

function graph(signature: ModelSignature, slotTokens: number, parts: GraphParts): SlotGraph {
  const elemType = onnxTypeOf(signature.cacheType);
  const value = ([name, rows]: GraphValue) => {
    const dims = [rows, signature.kvHeads, slotTokens, signature.headSize];
    return valueInfo(name, elemType, dims);
  };
  const slot = valueInfo(SLOT, ONNX_INT64, parts.slotRank === 1 ? [1] : [1, 1]);
  const model = onnxProto.onnx.ModelProto.fromObject({
    irVersion: IR_VERSION,
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name: 'slot',
      node: parts.nodes,
      input: [slot, ...parts.inputs.map(value)],
      output: parts.outputs.map(value),
    },
  });
  return {
    model: onnxProto.onnx.ModelProto.encode(model).finish(),
    inputNames: [SLOT, ...parts.inputs.map(([name]) => name)],
    outputNames: parts.outputs.map(([name]) => name),
  };
}

function valueInfo(name: string, elemType: number, dims: readonly (number | string)[]) {
  const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}
