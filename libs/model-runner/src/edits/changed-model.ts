import onnxProto from 'onnx-proto';
import { encodedField, GRAPH, INITIALIZER, INPUT, NODE, OUTPUT, protoFields } from '#onnx-file';
import type { ChangedModel } from '../binding/session-binding.ts';
import { attentionLayer } from '../signature/graph-traits.ts';
import type { Node } from '../signature/value-info.ts';
import { countedLogits, positionCount } from './counted-positions.ts';
import type { GraphEdit } from './graph-edit.ts';
import { joinedModel } from './joined-model.ts';
import { lengthInputs, withLengths } from './length-inputs.ts';
import { flatPositions, POSITION_ROWS, positionRows } from './position-rows.ts';
import { readModel } from './read-model.ts';
import { withRealPlaces } from './real-places.ts';
import { renameValues } from './rename-values.ts';

const { AttributeProto, NodeProto, TensorProto, ValueInfoProto } = onnxProto.onnx;
/** Constants that edits give to the graph, by their value. */
const CONDITIONS = { true: 'millrace.true', false: 'millrace.false' } as const;
/** [batch, sequence, hidden] → [batch, 1, hidden]: the positions from the last one on, along the second axis. Where they are counted, from an earlier one on. */
const lastOf = (value: string) => `millrace.last_position.${value}`;
const FIRST_KEPT = 'millrace.last';
const SLICE_BOUNDS = { 'millrace.end': 2n ** 63n - 1n, 'millrace.sequence_axis': 1n } as const;
const LAST_SLICE = [FIRST_KEPT, ...Object.keys(SLICE_BOUNDS)];

const CACHE_BRANCH = 'use_cache_branch';
/** Of a shape its third number. */
const PAST_TOKENS = { 'millrace.tokens_axis': 2n, 'millrace.tokens_end': 3n } as const;

/**
 * Reads a model and changes it; the file stays as it is, and its weights stay there. Only the nodes that edits are about are written anew, everything
 * else is copied byte by byte, whatever newer exporters put there.
 */
export async function changedModel(file: string, edits: readonly GraphEdit[]): Promise<ChangedModel> {
  const embedding = edits.find((edit) => edit.kind === 'embedding');
  const model = embedding === undefined ? await readModel(file) : await joinedModel(file, embedding.file);
  const parts: Uint8Array[] = [];
  for (const { number, start, valueStart, end } of protoFields(model))
    if (number === GRAPH) parts.push(...encodedField(GRAPH, changedGraph(model.subarray(valueStart, end), edits)));
    else parts.push(model.subarray(start, end));
  return withRealPlaces({ file, bytes: Buffer.concat(parts) });
}

function changedGraph(graph: Uint8Array, edits: readonly GraphEdit[]): Uint8Array {
  const parts: Uint8Array[] = edits.flatMap((edit) => {
    if (edit.kind === 'cache-branch') return cacheBranch(edit.past);
    return edit.kind === 'position-rows' ? positionRows(edit.rows) : [];
  });
  const dropped = new Set(edits.flatMap(inputDropped));
  const counted = edits.some(countsPositions);
  const hasRows = edits.some(({ kind }) => kind === 'position-rows');
  if (counted) parts.push(...positionCount(FIRST_KEPT));
  for (const { number, start, valueStart, end } of protoFields(graph)) {
    if (number === INPUT && dropped.has(ValueInfoProto.decode(graph.subarray(valueStart, end)).name ?? '')) continue;
    const node = number === NODE ? NodeProto.decode(graph.subarray(valueStart, end)) : null;
    if (node !== null && edits.some((edit) => isUnread(node, edit))) continue;
    for (const edit of edits)
      if (edit.kind === 'last-position' && node !== null && node.output?.[0] === edit.readers[0])
        parts.push(...edit.values.flatMap((value) => encodedField(NODE, lastPosition(value))));
    const lengths = node === null ? null : edits.map((edit) => withLengths(node, edit)).find((bytes) => bytes !== null);
    if (lengths) parts.push(...lengths);
    else if (node !== null && edits.map((edit) => change(node, edit)).includes(true))
      parts.push(...encodedField(NODE, NodeProto.encode(node).finish()));
    else if (counted && number === OUTPUT)
      parts.push(...encodedField(OUTPUT, countedLogits(graph.subarray(valueStart, end))));
    else
      parts.push(
        ...((hasRows && flatPositions(number, graph.subarray(valueStart, end))) || [graph.subarray(start, end)]),
      );
  }
  for (const edit of edits) {
    if (edit.kind === 'lengths') parts.push(...lengthInputs(edit));
    if (edit.kind === 'rotary-table') parts.push(...condition(edit.condition));
    if (edit.kind !== 'last-position' && edit.kind !== 'sliced-positions') continue;
    if (!counted) parts.push(...integer(FIRST_KEPT, -1n));
    for (const [name, value] of Object.entries(SLICE_BOUNDS)) parts.push(...integer(name, value));
  }
  return Buffer.concat(parts);
}

/** Names of inputs that are none any more. */
function inputDropped({ kind }: GraphEdit): string[] {
  if (kind === 'cache-branch') return [CACHE_BRANCH];
  return kind === 'lengths' ? ['attention_mask'] : [];
}

function isUnread({ output }: Node, edit: GraphEdit): boolean {
  return edit.kind === 'sliced-positions' && edit.between.includes(output?.[0] ?? '');
}

/** @returns whether the edit is about this node, which it then has changed */
function change(node: Node, edit: GraphEdit): boolean {
  if (edit.kind === 'rotary-table') {
    if (node.opType !== 'If' || !node.output?.includes(edit.output)) return false;
    node.input = [CONDITIONS[`${edit.condition}`]];
    return true;
  }
  if (edit.kind === 'last-position') {
    if (!edit.readers.includes(node.output?.[0] ?? '')) return false;
    node.input = node.input?.map((name) => (edit.values.includes(name) ? lastOf(name) : name));
    return true;
  }
  if (edit.kind === 'sliced-positions') {
    if (!edit.outputs.includes(node.output?.[0] ?? '')) return false;
    const [value = ''] = node.input ?? [];
    Object.assign(node, { opType: 'Slice', input: [value, ...LAST_SLICE], attribute: [] });
    return true;
  }
  if (edit.kind === 'position-rows') return renameValues(node, POSITION_ROWS);
  const layer = attentionLayer(node);
  if (layer === null || (edit.kind !== 'whole-cache' && edit.kind !== 'window')) return false;
  if (edit.kind === 'whole-cache') setInteger(node, 'sliding_window_cache', 0);
  else if (edit.layers?.includes(layer) ?? true) setInteger(node, 'local_window_size', edit.tokens);
  return true;
}

function setInteger(node: Node, name: string, i: number): void {
  const others = (node.attribute ?? []).filter((attribute) => attribute.name !== name);
  node.attribute = [...others, { name, i, type: AttributeProto.AttributeType.INT }];
}

function countsPositions(edit: GraphEdit): boolean {
  return (edit.kind === 'sliced-positions' || edit.kind === 'last-position') && edit.counted === true;
}

/** A scalar; ONNX Runtime folds what hangs on a constant, and drops the other branch with its table. */
function condition(value: boolean): Uint8Array[] {
  const dataType = TensorProto.DataType.BOOL;
  const tensor = { name: CONDITIONS[`${value}`], dataType, rawData: Uint8Array.of(value ? 1 : 0) };
  return encodedField(INITIALIZER, TensorProto.encode(tensor).finish());
}

/** [1]: whether the past [batch, kvHeads, tokens, headSize] holds tokens. In front of all nodes, because they stand in order. */
function cacheBranch(past: string): Uint8Array[] {
  const slice = Object.keys(PAST_TOKENS);
  const nodes = [
    { opType: 'Shape', input: [past], output: ['millrace.past_shape'] },
    { opType: 'Slice', input: ['millrace.past_shape', ...slice], output: ['millrace.past_tokens'] },
    { opType: 'Greater', input: ['millrace.past_tokens', 'millrace.zero'], output: [CACHE_BRANCH] },
  ];
  return [
    ...nodes.flatMap((node) => encodedField(NODE, NodeProto.encode(node).finish())),
    ...Object.entries({ ...PAST_TOKENS, 'millrace.zero': 0n }).flatMap(([name, value]) => integer(name, value)),
  ];
}

function lastPosition(value: string): Uint8Array {
  const input = [value, ...LAST_SLICE];
  return NodeProto.encode({ opType: 'Slice', name: lastOf(value), input, output: [lastOf(value)] }).finish();
}

/** [1] */
function integer(name: string, value: bigint): Uint8Array[] {
  const rawData = new Uint8Array(BigInt64Array.of(value).buffer);
  const tensor = { name, dims: [1], dataType: TensorProto.DataType.INT64, rawData };
  return encodedField(INITIALIZER, TensorProto.encode(tensor).finish());
}
