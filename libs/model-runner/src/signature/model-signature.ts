import type { KvType } from '#contracts';
import type { GraphEdit } from '../edits/graph-edit.ts';
import type { ElementType } from '../element-type.ts';
import type { LastGathers } from './last-gathers.ts';

/** What the graph wants to be told besides the tokens and the cache. */
export type SideInput =
  /** [batch, total] int64, ones for the tokens that a row has after this step. */
  | { readonly kind: 'attention_mask' }
  /** [batch, sequence] int64 */
  | { readonly kind: 'position_ids' }
  /** [batch] int32, tokens that a row has after this step, minus one. */
  | { readonly kind: 'seqlens_k' }
  /** Scalar or [1] int32, tokens of the longest row after this step. */
  | { readonly kind: 'total_sequence_length'; readonly rank: 0 | 1 }
  /** Scalar or [1] int64, the last positions whose logits are wanted: 1, or more where tokens are verified. */
  | { readonly kind: 'num_logits_to_keep'; readonly rank: 0 | 1 };

/** One layer's key or value cache, [batch, kvHeads, tokens, headSize]: its input and its output. */
export interface CachePair {
  readonly past: string;
  readonly present: string;
}

/** What a layer keeps of all tokens so far in a fixed size, [batch, sizes…]: its input and its output. Zeros where nothing was computed. */
export interface StatePair extends CachePair {
  readonly sizes: readonly number[];
  readonly type: ElementType;
}

/** A decoder's inputs and outputs, read from its ONNX file. Inputs are fed in the order tokens, side inputs, cache, states. */
export interface ModelSignature {
  readonly modelFile: string;
  /** Of the file and of the external data that it names. */
  readonly weightBytes: number;
  /** What the CPU's kernels hold of these once they are loaded. */
  readonly loadedBytes: number;
  readonly vocabularySize: number;
  /** Those with keys and values of their own. */
  readonly layers: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** From the rotary tables in the graph, else from the configuration beside it; null when neither tells. */
  readonly maxPositions: number | null;
  /** The same where the longer of two rotary tables is taken for all (LongRoPE), and what that takes; null with one table. */
  readonly longRotary: { readonly maxPositions: number; readonly edit: GraphEdit } | null;
  /** What is changed in the graph when it is loaded. */
  readonly edits: readonly GraphEdit[];
  /** What these are where runs are to say of how many last positions they want the logits (`severalPositions`); null where the graph can not be told. */
  readonly countedEdits: readonly GraphEdit[] | null;
  /** Where the graph takes each row's last position by lengths; null where it does not, or can not be changed. */
  readonly lastGathers: LastGathers | null;
  /** Widest window of the GroupQueryAttention layers that have one after the edits, in tokens; null where none has. */
  readonly slidingWindow: number | null;
  /** True when activations are quantized with one scale for a whole step. */
  readonly rowsShareScales: boolean;
  /** True when a row's bits depend on the other rows of its step, by such scales or by mixtures of experts: each needs a run of its own. */
  readonly rowsRunAlone: boolean;
  /** True when every layer is a GroupQueryAttention node, which takes one buffer as past and present. */
  readonly sharesCache: boolean;
  /** `input_ids` [batch, sequence] int64 */
  readonly sideInputs: readonly SideInput[];
  /** Layer by layer, key before value: 2 × layers pairs. Layers without keys and values are left out. */
  readonly cache: readonly CachePair[];
  /** Of layers that keep one, beside keys and values or in their place; none in most models. */
  readonly states: readonly StatePair[];
  /** Of the states of one sequence. */
  readonly stateBytes: number;
  /** As the graph has it. */
  readonly cacheType: ElementType;
  /** What keys and values are on the CPU, where our own library computes attention there; null where it can not, or is not to. */
  readonly ownCache: KvType | null;
  /** `all`: [batch, sequence, vocabulary]. `last`: [batch, 1, vocabulary], or [batch, vocabulary] where rank is 2. */
  readonly logits: { readonly positions: 'all' | 'last'; readonly rank: 2 | 3; readonly type: ElementType };
}
