import { NEAR_NATS } from '#contracts/ports';
import { type ElementType, ONNX_FLOAT32, ONNX_INT32, ONNX_INT64, ONNX_UINT8, onnxTypeOf } from '../element-type.ts';
import { type GraphConstant, type GraphNode, type SmallGraph, smallGraph } from './small-graph.ts';

const ONNX_BOOL = 9;
const ONNX_FLOAT64 = 11;
const BITS = 8;
/** Far above what rounding in float32 moves an exponent by. */
const NEAR_SLACK_NATS = 1e-4;

/** float32's: below it is −∞ alone, above which CUDA's TopK puts it. */
const LOWEST = -3.4028234663852886e38;
/** Of a row's part: enough for a block of threads, and for most of a row's largest to lie in one. */
const LEAST_PART_TOKENS = 2_048;
const MOST_PARTS = 16;

/** Of a row's figures in the output `figures`. */
export const FIGURES = ['largest', 'sum', 'all', 'nearLow', 'nearHigh'] as const;

export interface CandidateGraphSize {
  readonly vocabularySize: number;
  readonly logitsType: ElementType;
  /** Largest logits of a row. */
  readonly count: number;
  /** Largest of all tokens beside those of the allowed ones. */
  readonly topCount: number;
}

/**
 * What choices need of rows of logits, found where these lie. Inputs: `logits` [rows, vocabulary], `inverse_temperature` [rows, 1], `listed`
 * [rows, tokens] int32; where tokens are `masked`, `allowed` [rows, bytes] uint8, a bit for each token, lowest first. Outputs: `values` and `ids`
 * of the largest (where there are fewer, −∞ and token 0), `listed_logits`, and `figures` [rows, 5]; where masked, `top_values` and `top_ids`.
 *
 * Exponents are taken in float32 and summed in float64, so the sums' error does not depend on how a provider adds. A row's largest logit is TopK's first:
 * CUDA's ReduceMax needs cuDNN, which nothing else of a decoder does.
 */
export function candidateGraph(
  { vocabularySize, logitsType, count, topCount }: CandidateGraphSize,
  isMasked: boolean,
): SmallGraph {
  const nodes: GraphNode[] = [];
  const constants: GraphConstant[] = [];
  const node = (opType: string, input: readonly string[], output: string, attributes?: GraphNode['attributes']) => {
    nodes.push({ opType, input, output: [output], ...(attributes !== undefined && { attributes }) });
    return output;
  };
  const constant = (name: string, elemType: number, dims: readonly number[], values: ArrayBufferView) => {
    constants.push({ name, elemType, dims, values });
    return name;
  };
  const integer = (name: string, value: number) => constant(name, ONNX_INT64, [1], BigInt64Array.of(BigInt(value)));
  const float = (name: string, value: number) => constant(name, ONNX_FLOAT32, [], Float32Array.of(value));
  const axis = integer('axis', 1);
  const minusInfinity = float('minus_infinity', Number.NEGATIVE_INFINITY);
  const none = float('none', 0);
  const sum = (values: string, name: string) =>
    node('ReduceSum', [node('Cast', [values], `${name}.wide`, { to: ONNX_FLOAT64 }), axis], name, { keepdims: 1 });
  const topK = (values: string, k: number, name: string) => {
    nodes.push({ opType: 'TopK', input: [values, integer(`${name}.k`, k)], output: [`${name}.values`, `${name}.at`] });
    return { values: `${name}.values`, at: `${name}.at` };
  };
  const lowest = float('lowest', LOWEST);
  const shaped = (value: string, dims: readonly number[], name: string) =>
    node(
      'Reshape',
      [value, constant(`${name}.shape`, ONNX_INT64, [dims.length], BigInt64Array.from(dims, BigInt))],
      name,
    );
  /** The largest of each row's parts first, since CUDA's kernel has one block of threads for a row. */
  const largestOfParts = (values: string, k: number, name: string) => {
    const parts = partsOf(vocabularySize, k);
    if (parts === 1) return topK(values, k, `${name}top`);
    const width = Math.ceil(vocabularySize / parts);
    const missing = width * parts - vocabularySize;
    const ends = BigInt64Array.of(0n, 0n, 0n, BigInt(missing));
    const padding = missing === 0 ? null : [constant(`${name}padding`, ONNX_INT64, [4], ends), lowest];
    const whole = padding === null ? values : node('Pad', [values, ...padding], `${name}padded`);
    const ofParts = topK(shaped(whole, [-1, width], `${name}parts`), k, `${name}part`);
    const begins = BigInt64Array.from({ length: parts }, (_, part) => BigInt(part * width));
    const inRow = node(
      'Add',
      [
        shaped(ofParts.at, [-1, parts, k], `${name}in_part`),
        constant(`${name}begins`, ONNX_INT64, [1, parts, 1], begins),
      ],
      `${name}in_row`,
    );
    const ofRow = topK(shaped(ofParts.values, [-1, parts * k], `${name}of_parts`), k, `${name}top`);
    const at = node('GatherElements', [shaped(inRow, [-1, parts * k], `${name}ids_of_parts`), ofRow.at], `${name}at`, {
      axis: 1,
    });
    return { values: ofRow.values, at };
  };
  /** Where there are fewer than `k`, CUDA's kernel fills up with the lowest number and with whatever it finds for tokens. */
  const largest = (values: string, k: number, name: string) => {
    const found = largestOfParts(values, k, name);
    const isNone = node('LessOrEqual', [found.values, lowest], `${name}is_none`);
    const ids = node('Cast', [found.at], `${name}ids.all`, { to: ONNX_INT32 });
    node('Where', [isNone, constant(`${name}no_id`, ONNX_INT32, [], Int32Array.of(0)), ids], `${name}ids`);
    return node('Where', [isNone, minusInfinity, found.values], `${name}values`);
  };

  const raw = logitsType === 'float32' ? 'logits' : node('Cast', ['logits'], 'raw', { to: ONNX_FLOAT32 });
  node('GatherElements', [raw, 'listed'], 'listed_logits', { axis: 1 });

  let values = raw;
  if (isMasked) {
    const table = constant('bits', ONNX_BOOL, [1 << BITS, BITS], bitsOfBytes());
    const bytes = node('Cast', ['allowed'], 'bytes', { to: ONNX_INT32 });
    const shape = constant('shape', ONNX_INT64, [2], BigInt64Array.of(0n, -1n));
    const bits = node('Reshape', [node('Gather', [table, bytes], 'bits.of', { axis: 0 }), shape], 'bits.flat');
    const slice = [integer('zero', 0), integer('vocabulary', vocabularySize), axis];
    values = node('Where', [node('Slice', [bits, ...slice], 'is_allowed'), raw, lowest], 'masked');
  }
  const begin = [integer('from', 0), integer('to', 1), axis];
  const first = node('Slice', [largest(values, count, ''), ...begin], 'first');
  const largestOfAll = isMasked ? node('Slice', [largest(raw, topCount, 'top_'), ...begin], 'largest') : first;
  sum(node('Exp', [node('Sub', [raw, largestOfAll], 'below')], 'weights'), 'sum');
  const exponent = node('Mul', [node('Sub', [values, first], 'distance'), 'inverse_temperature'], 'exponent');
  const weights = node('Exp', [exponent], 'draw_weights');
  sum(weights, 'all');
  for (const [name, slack] of [['nearLow', NEAR_SLACK_NATS] as const, ['nearHigh', -NEAR_SLACK_NATS] as const]) {
    const isNear = node('Greater', [exponent, float(`${name}.bound`, slack - NEAR_NATS)], `${name}.is`);
    sum(node('Where', [isNear, weights, none], `${name}.weights`), name);
  }
  const wide = node('Concat', ['sum', 'all', 'nearLow', 'nearHigh'], 'sums', { axis: 1 });
  node('Concat', [largestOfAll, node('Cast', [wide], 'sums.narrow', { to: ONNX_FLOAT32 })], 'figures', { axis: 1 });

  const floats = (name: string, size: number | string) => ({ name, elemType: ONNX_FLOAT32, dims: ['rows', size] });
  const ids = (name: string, size: number | string) => ({ name, elemType: ONNX_INT32, dims: ['rows', size] });
  return smallGraph({
    name: 'candidates',
    nodes,
    constants,
    inputs: [
      { name: 'logits', elemType: onnxTypeOf(logitsType), dims: ['rows', vocabularySize] },
      floats('inverse_temperature', 1),
      ids('listed', 'tokens'),
      ...(isMasked ? [{ name: 'allowed', elemType: ONNX_UINT8, dims: ['rows', 'bytes'] }] : []),
    ],
    outputs: [
      floats('values', count),
      ids('ids', count),
      floats('listed_logits', 'tokens'),
      floats('figures', FIGURES.length),
      ...(isMasked ? [floats('top_values', topCount), ids('top_ids', topCount)] : []),
    ],
  });
}

/** Into how many parts a row is cut of which the largest are found by themselves. */
function partsOf(vocabularySize: number, k: number): number {
  let parts = 1;
  while (2 * parts <= MOST_PARTS && vocabularySize / (2 * parts) >= Math.max(k, LEAST_PART_TOKENS)) parts *= 2;
  return parts;
}

/** Takes one row: inputs `logits` [slots, vocabulary] and `row` [1]; output `taken` [1, vocabulary]. */
export function takeRowGraph(vocabularySize: number, type: ElementType): SmallGraph {
  const elemType = onnxTypeOf(type);
  return smallGraph({
    name: 'row',
    nodes: [{ opType: 'Gather', input: ['logits', 'row'], output: ['taken'] }],
    inputs: [
      { name: 'logits', elemType, dims: ['slots', vocabularySize] },
      { name: 'row', elemType: ONNX_INT64, dims: [1] },
    ],
    outputs: [{ name: 'taken', elemType, dims: [1, vocabularySize] }],
  });
}

/** [256, 8] the bits of every byte, lowest first. */
function bitsOfBytes(): Uint8Array {
  return Uint8Array.from({ length: (1 << BITS) * BITS }, (_, i) => ((i / BITS) >> (i % BITS)) & 1);
}
