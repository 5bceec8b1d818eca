import type { KvType } from '#contracts';
import { elementTypeName, type Graph, type Node } from '../signature/value-info.ts';
import type { OwnNode } from './own-node.ts';

/** What the library's operator `Attention` is told of a layer (native/attention-operator.c). */
export interface AttentionForm {
  readonly heads: number;
  readonly kvHeads: number;
  /** Values of a head; a multiple of 16, up to 256. */
  readonly headSize: number;
  /** Keys that a query sees, its own among them; 0 for all. */
  readonly window: number;
  readonly scale: number;
  /** 0 for none. */
  readonly softcap: number;
}

/** A GroupQueryAttention node that the library can compute. */
export interface AttentionNode {
  readonly node: Node;
  readonly form: AttentionForm;
}

const INPUT_NAMES =
  'query key value past_key past_value seqlens_k total_sequence_length cos_cache sin_cache position_ids attention_bias head_sink'.split(
    ' ',
  );
type InputName = (typeof INPUT_NAMES)[number];
/** Inputs that the library has in the operator's order; those behind the fifth may be missing. */
const OWN_INPUTS: readonly InputName[] =
  'query past_key past_value seqlens_k total_sequence_length key value cos_cache sin_cache head_sink'.split(' ');
/** What these attributes say is in the form; any other has to say nothing (0, or −1 as exporters write it). */
const KNOWN_ATTRIBUTES = new Set('num_heads kv_num_heads scale softcap local_window_size do_rotary'.split(' '));
const HEAD_STEP = 16;
const MOST_HEAD_SIZE = 256;

/** The attention of a graph's main nodes that the library computes: in float32, over a cache that keeps all tokens. */
export function attentionNodes(graph: Graph, headSize: number): AttentionNode[] {
  if (headSize % HEAD_STEP !== 0 || headSize > MOST_HEAD_SIZE) return [];
  return (graph.node ?? []).flatMap((node) => attentionNode(node, graph, headSize) ?? []);
}

/** The library's operators, by what their caches are. */
const OPERATORS = { float32: 'Attention', float16: 'AttentionFloat16', int8: 'AttentionInt8' } as const;

/** The library's operator in its place. */
export function ownAttention({ node, form }: AttentionNode, cacheType: KvType): OwnNode {
  const input = OWN_INPUTS.map((name) => inputOf(node, name));
  if (attribute(node, 'do_rotary') === 0)
    for (const table of ['cos_cache', 'sin_cache']) input[OWN_INPUTS.indexOf(table)] = '';
  const has = (name: InputName) => Number(input[OWN_INPUTS.indexOf(name)] !== '');
  return {
    node,
    opType: OPERATORS[cacheType],
    input: input.slice(0, input.findLastIndex((name) => name !== '') + 1),
    integers: {
      heads: form.heads,
      kv_heads: form.kvHeads,
      head_size: form.headSize,
      window: form.window,
      separate: has('key'),
      rotary: has('cos_cache'),
      sinks: has('head_sink'),
    },
    floats: { scale: form.scale, softcap: form.softcap },
  };
}

function attentionNode(node: Node, graph: Graph, headSize: number): AttentionNode | null {
  if (node.opType !== 'GroupQueryAttention' || !node.input || !saysNothingElse(node)) return null;
  const past = graph.input?.find(({ name }) => name === inputOf(node, 'past_key'));
  if (past === undefined || elementTypeName(past) !== 'float32') return null;
  const [heads, kvHeads] = [attribute(node, 'num_heads'), attribute(node, 'kv_num_heads')];
  const scale = attribute(node, 'scale') || 1 / Math.sqrt(headSize);
  const window = Math.max(0, attribute(node, 'local_window_size'));
  return { node, form: { heads, kvHeads, headSize, window, scale, softcap: attribute(node, 'softcap') } };
}

function saysNothingElse({ input, output, attribute: attributes }: Node): boolean {
  const others = (attributes ?? []).filter(({ name }) => !KNOWN_ATTRIBUTES.has(name ?? ''));
  return (
    others.every(({ i, f, s }) => Number(i ?? 0) <= 0 && (f ?? 0) <= 0 && (s?.length ?? 0) === 0) &&
    (input ?? []).every((name, at) => name === '' || OWN_INPUTS.includes(INPUT_NAMES[at] ?? '')) &&
    (output ?? []).slice(3).every((name) => name === '')
  );
}

function inputOf(node: Node, name: InputName): string {
  return node.input?.[INPUT_NAMES.indexOf(name)] ?? '';
}

/** A number; 0 where there is none. */
function attribute(node: Node, name: string): number {
  const found = node.attribute?.find((one) => one.name === name);
  return Number(found?.i ?? 0) || (found?.f ?? 0);
}
