import onnxProto, { type onnx } from 'onnx-proto';
import { encodedField, INITIALIZER, NODE } from '#onnx-file';
import { ONNX_FLOAT32, ONNX_INT64 } from '../element-type.ts';
import type { AttentionNode } from '../products/attention-nodes.ts';
import { integerAttribute } from '../signature/value-info.ts';

const { AttributeProto, NodeProto, TensorProto } = onnxProto.onnx;
const { FLOAT, INT, INTS } = AttributeProto.AttributeType;

type Attributes = Readonly<Record<string, number | readonly number[]>>;

const MICROSOFT = 'com.microsoft';
const [QUERY, KEY, VALUE, PAST_KEY, PAST_VALUE, SEQLENS_K] = [0, 1, 2, 3, 4, 5];
const [COSINES, SINES, POSITIONS] = [7, 8, 9];

/**
 * GroupQueryAttention in float32 as operators that every provider has: CUDA's kernels of it are for half precision only, and computed on the CPU it
 * would have the whole cache carried there and back in every step.
 *
 *     position [batch, sequence] = seqlens_k − sequence + 1, …, seqlens_k
 *     present                    = ScatterND(past, (row, head, position), key)      in place where both are the same memory
 *     scores                     = scale · query · presentᵀ, −∞ where a key's place is not in (position − window, position]
 *     output                     = softmax(scores) · present value
 *
 * Queries of the heads that share a key lie behind each other, [batch, kvHeads, sequence · group, headSize], so that a product is one for all of
 * them and no key is copied. Every place of the cache is multiplied, up to its capacity. What the places behind a row's end hold is not known, and 0 · NaN is NaN, so
 * values there are taken for zeros.
 */
export class PlainAttention {
  readonly #parts: Uint8Array[] = [];
  readonly #made = new Set<string>();

  /** The nodes in one's place, with what it shares with others where it is the first. */
  replace(attention: AttentionNode): Uint8Array[] {
    this.#attention(attention);
    return this.#parts.splice(0);
  }

  #attention({ node, form }: AttentionNode): void {
    const { heads, kvHeads, headSize, window, scale, softcap } = form;
    const input = (index: number) => node.input?.[index] ?? '';
    const [output = '', presentKey = '', presentValue = ''] = node.output ?? [];
    const group = heads / kvHeads;
    const own = (name: string) => `millrace.attention.${output}.${name}`;
    const step = (opType: string, inputs: readonly string[], name: string, options?: Attributes) =>
      this.#node(opType, inputs, own(name), options);
    const lengths = this.#lengths(input(SEQLENS_K), input(QUERY), input(PAST_KEY));

    const isPacked = input(KEY) === '';
    const sizes = [heads * headSize, kvHeads * headSize, kvHeads * headSize];
    let [query = '', key = '', value = ''] = [input(QUERY), input(KEY), input(VALUE)];
    if (isPacked)
      [query, key, value] = sizes.map((size, i) => {
        const from = sizes.slice(0, i).reduce((sum, one) => sum + one, 0);
        const bounds = [this.#integers([from]), this.#integers([from + size]), this.#integers([2])];
        return step('Slice', [input(QUERY), ...bounds], `part.${i}`);
      }) as [string, string, string];
    if (integerAttribute(node, 'do_rotary') === 1) {
      const turned = (states: string, count: number, name: string) =>
        step('RotaryEmbedding', [states, input(POSITIONS) || lengths.positions, input(COSINES), input(SINES)], name, {
          num_heads: count,
        });
      query = turned(query, heads, 'turned.query');
      key = turned(key, kvHeads, 'turned.key');
    }
    // [batch, sequence, …] → [batch, kvHeads, sequence, width]
    const byHead = (states: string, width: number, name: string) =>
      step('Transpose', [step('Reshape', [states, this.#integers([0, 0, kvHeads, width])], `${name}.heads`)], name, {
        perm: [0, 2, 1, 3],
      });
    const place = this.#places(kvHeads, lengths);
    const scattered = (past: string, states: string, present: string) =>
      this.#node('ScatterND', [past, place, byHead(states, headSize, `new.${present}`)], present);
    scattered(input(PAST_KEY), key, presentKey);
    scattered(input(PAST_VALUE), value, presentValue);

    const queries = step(
      'Reshape',
      [byHead(query, group * headSize, 'queries'), this.#integers([0, kvHeads, -1, headSize])],
      'grouped',
    );
    let scores = this.#node('FusedMatMul', [queries, presentKey], own('scores'), { transB: 1 }, { alpha: scale });
    if (softcap > 0) {
      const capped = step('Tanh', [step('Div', [scores, this.#float(softcap)], 'scaled')], 'tanh');
      scores = step('Mul', [capped, this.#float(softcap)], 'capped');
    }
    const isSeen = this.#seen(group, window, lengths);
    const weights = step(
      'Softmax',
      [step('Where', [isSeen, scores, this.#float(Number.NEGATIVE_INFINITY)], 'seen')],
      'weights',
      { axis: -1 },
    );
    const values = step('Where', [lengths.isFilled, presentValue, this.#float(0)], 'values');
    const sums = step('MatMul', [weights, values], 'sums');
    const ofTokens = step('Reshape', [sums, this.#integers([0, kvHeads, -1, group * headSize])], 'of_tokens');
    const inOrder = step('Transpose', [ofTokens], 'in_order', { perm: [0, 2, 1, 3] });
    this.#node('Reshape', [inOrder, this.#integers([0, 0, heads * headSize])], output);
  }

  /** What all layers have in common. */
  #lengths(seqlensK: string, states: string, past: string) {
    const make = (opType: string, inputs: readonly string[], name: string, options?: Attributes) =>
      this.#node(opType, inputs, `millrace.attention.${name}`, options);
    const [zero, one] = [this.#integers([0], true), this.#integers([1], true)];
    const sizeOf = (value: string, axis: number, name: string) =>
      make('Gather', [make('Shape', [value], `${name}.shape`), this.#integers([axis], true)], name);
    const sequence = sizeOf(states, 1, 'sequence');
    const capacity = sizeOf(past, 2, 'capacity');
    const batch = sizeOf(past, 0, 'batch');
    const range = (end: string, name: string) => make('Range', [zero, end, one], name);
    const last = make('Cast', [seqlensK], 'last', { to: ONNX_INT64 });
    const lastOfRow = make('Reshape', [last, this.#integers([-1, 1])], 'last_of_row');
    const first = make('Sub', [lastOfRow, make('Sub', [sequence, one], 'before')], 'first');
    const keys = range(capacity, 'keys');
    const lastOfKeys = make('Reshape', [last, this.#integers([-1, 1, 1, 1])], 'last_of_keys');
    const isFilled = make(
      'LessOrEqual',
      [make('Reshape', [keys, this.#integers([-1, 1])], 'key_column'), lastOfKeys],
      'is_filled',
    );
    return {
      keys,
      /** [batch, sequence] */
      positions: make('Add', [first, range(sequence, 'steps')], 'positions'),
      rows: make('Reshape', [range(batch, 'rows'), this.#integers([-1, 1, 1, 1])], 'row_of_batch'),
      /** [batch, 1, capacity, 1] */
      isFilled,
    };
  }

  /** [batch, kvHeads, sequence, 3]: where new keys and values go. */
  #places(kvHeads: number, { positions, rows }: { readonly positions: string; readonly rows: string }): string {
    const make = (opType: string, inputs: readonly string[], name: string, options?: Attributes) =>
      this.#node(opType, inputs, `millrace.attention.${kvHeads}.${name}`, options);
    const heads = this.#integers(
      Array.from({ length: kvHeads }, (_, head) => head),
      false,
      [1, kvHeads, 1, 1],
    );
    const zeros = this.#integers(new Array(kvHeads).fill(0), false, [1, kvHeads, 1, 1]);
    const flat = make('Reshape', [positions, this.#integers([0, 1, -1, 1])], 'flat');
    const position = make('Add', [flat, zeros], 'position');
    const nothing = make('Sub', [position, position], 'nothing');
    const [row, head] = [make('Add', [nothing, rows], 'row'), make('Add', [nothing, heads], 'head')];
    return make('Concat', [row, head, position], 'places', { axis: 3 });
  }

  /** [batch, 1, sequence · group, capacity]: whether a query sees what is in a place. */
  #seen(
    group: number,
    window: number,
    { keys, positions }: { readonly keys: string; readonly positions: string },
  ): string {
    const make = (opType: string, inputs: readonly string[], name: string) =>
      this.#node(opType, inputs, `millrace.attention.${group}.${name}`);
    const column = make('Reshape', [positions, this.#integers([0, -1, 1])], 'column');
    const repeated = make('Expand', [column, this.#integers([1, 1, group])], 'repeated');
    const position = make('Reshape', [repeated, this.#integers([0, 1, -1, 1])], 'position_of_query');
    const isPast = make('LessOrEqual', [keys, position], 'is_past');
    if (window === 0) return isPast;
    const bound = make('Sub', [position, this.#integers([window])], `bound.${window}`);
    return make('And', [isPast, make('Greater', [keys, bound], `is_near.${window}`)], `is_seen.${window}`);
  }

  /** A node, unless there is one of this name. @returns its output */
  #node(
    opType: string,
    input: readonly string[],
    output: string,
    integers: Attributes = {},
    floats: Readonly<Record<string, number>> = {},
  ): string {
    if (this.#made.has(output)) return output;
    this.#made.add(output);
    const attribute: onnx.IAttributeProto[] = [
      ...Object.entries(integers).map(([name, value]) =>
        typeof value === 'number' ? { name, i: value, type: INT } : { name, ints: [...value], type: INTS },
      ),
      ...Object.entries(floats).map(([name, f]) => ({ name, f, type: FLOAT })),
    ];
    const domain = opType === 'RotaryEmbedding' || opType === 'FusedMatMul' ? MICROSOFT : '';
    const node = NodeProto.encode({ opType, domain, name: output, input: [...input], output: [output], attribute });
    this.#parts.push(...encodedField(NODE, node.finish()));
    return output;
  }

  #integers(values: readonly number[], isScalar = false, dims: readonly number[] = [values.length]): string {
    const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    const name = `millrace.attention.integers.${isScalar ? 'scalar' : dims.join('x')}.${values.join('.')}`;
    return this.#constant({ name, dims: isScalar ? [] : [...dims], dataType: ONNX_INT64, rawData });
  }

  #float(value: number): string {
    const rawData = new Uint8Array(Float32Array.of(value).buffer);
    return this.#constant({ name: `millrace.attention.float.${value}`, dims: [], dataType: ONNX_FLOAT32, rawData });
  }

  #constant(tensor: onnx.ITensorProto & { readonly name: string }): string {
    if (!this.#made.has(tensor.name)) {
      this.#made.add(tensor.name);
      this.#parts.push(...encodedField(INITIALIZER, TensorProto.encode(tensor).finish()));
    }
    return tensor.name;
  }
}
