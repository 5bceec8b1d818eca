import { ONNX_INT64, onnxTypeOf } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { type GraphNode, type SmallGraph, smallGraph } from './small-graph.ts';

/** A slot's numbers cross to the device with each copy: 64 KiB at most. */
const MOST_PIECES = 8192;
const NUMBERS = 'numbers';

/** How a slot of a cache buffer is cut for copying. */
export interface SlotPieces {
  /** For how many tokens a slot has to have room, so that pieces are of equal size: a few more than were asked for. */
  readonly slotTokens: number;
  readonly count: number;
  /** Values of one. */
  readonly size: number;
}

/**
 * Pieces of as many tokens of a head each as make few enough of them. ScatterND copies what one number names in one thread of a GPU, so a slot
 * that one number named would take seconds.
 */
export function slotPieces({ kvHeads, headSize }: ModelSignature, slotTokens: number): SlotPieces {
  let tokens = 1;
  while (kvHeads * Math.ceil(slotTokens / tokens) > MOST_PIECES) tokens *= 2;
  const ofHead = Math.ceil(slotTokens / tokens);
  return { slotTokens: ofHead * tokens, count: kvHeads * ofHead, size: tokens * headSize };
}

/**
 * Reads one slot of every cache buffer: inputs `numbers` [pieces] of its pieces and the caches [slots · pieces, size]; outputs the slot's part
 * of each, [pieces, size].
 */
export function readSlotGraph(signature: ModelSignature, pieces: SlotPieces): SmallGraph {
  const parts = signature.cache.map((_, i) => ({ cache: `cache.${i}`, part: `part.${i}` }));
  return graph(signature, pieces, {
    numbersRank: 1,
    inputs: parts.map(({ cache }) => [cache, 'slots']),
    outputs: parts.map(({ part }) => [part, pieces.count]),
    nodes: parts.map(({ cache, part }) => ({ opType: 'Gather', input: [cache, NUMBERS], output: [part] })),
  });
}

/**
 * Writes one slot of every cache buffer: inputs `numbers` [pieces, 1], the caches and the parts; outputs the caches. ScatterND
 * copies its data unless its output is the same memory, so both are bound to one buffer and only the slot is written.
 */
export function writeSlotGraph(signature: ModelSignature, pieces: SlotPieces): SmallGraph {
  const parts = signature.cache.map((_, i) => ({ cache: `cache.${i}`, part: `part.${i}`, written: `written.${i}` }));
  return graph(signature, pieces, {
    numbersRank: 2,
    inputs: [
      ...parts.map(({ cache }): SlotValue => [cache, 'slots']),
      ...parts.map(({ part }): SlotValue => [part, pieces.count]),
    ],
    outputs: parts.map(({ written }) => [written, 'slots']),
    nodes: parts.map(({ cache, part, written }) => ({
      opType: 'ScatterND',
      input: [cache, NUMBERS, part],
      output: [written],
    })),
  });
}

/** A cache or a part of one: its name and how many pieces it has. */
type SlotValue = readonly [name: string, pieces: number | string];

interface SlotParts {
  readonly numbersRank: 1 | 2;
  readonly inputs: readonly SlotValue[];
  readonly outputs: readonly SlotValue[];
  readonly nodes: readonly GraphNode[];
}

function graph(signature: ModelSignature, { count, size }: SlotPieces, parts: SlotParts): SmallGraph {
  const elemType = onnxTypeOf(signature.cacheType);
  const value = ([name, pieces]: SlotValue) => ({ name, elemType, dims: [pieces, size] });
  const numbers = { name: NUMBERS, elemType: ONNX_INT64, dims: parts.numbersRank === 1 ? [count] : [count, 1] };
  return smallGraph({
    name: 'slot',
    nodes: parts.nodes,
    inputs: [numbers, ...parts.inputs.map(value)],
    outputs: parts.outputs.map(value),
  });
}
