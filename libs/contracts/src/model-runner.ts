import type { DeviceLogits } from './device-logits.ts';
import type { LogitsKernels } from './logits-kernels.ts';

/** Sizes of a decoder, read from the model itself. */
export interface DecoderShape {
  readonly vocabularySize: number;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** Longest sequence the model was made for, in tokens. */
  readonly maxPositions: number;
}

/** Where a forward pass runs. */
export const EXECUTION_PROVIDERS = ['cuda', 'webgpu', 'cpu'] as const;
export type ExecutionProvider = (typeof EXECUTION_PROVIDERS)[number];

/** Who multiplies on the CPU: our own library where it can (`auto`), or ONNX Runtime's kernels always. */
export const CPU_PRODUCTS = ['auto', 'onnxruntime'] as const;
export type CpuProducts = (typeof CPU_PRODUCTS)[number];

/** What cached keys and values can be kept as; `int8` as quanta of 8 bits with a scale for each head of a token. */
export const KV_TYPES = ['float32', 'float16', 'int8'] as const;
export type KvType = (typeof KV_TYPES)[number];

export const KV_VALUE_BYTES: Readonly<Record<KvType, number>> = { float32: 4, float16: 2, int8: 1 };
/** Behind the quanta of each head of a token. */
const SCALE_BYTES = 4;

/** Of the key or the value of one head of one token. */
export function kvBytesOfHead(headSize: number, type: KvType): number {
  return headSize * KV_VALUE_BYTES[type] + (type === 'int8' ? SCALE_BYTES : 0);
}

/** Of one token in all layers, keys and values. */
export function kvBytesOfToken(
  { layers, kvHeads, headSize }: Pick<DecoderShape, 'layers' | 'kvHeads' | 'headSize'>,
  type: KvType,
): number {
  return 2 * layers * kvHeads * kvBytesOfHead(headSize, type);
}

/** How many times the states of one sequence are in memory: each slot has those that count and those that its run makes, and one chunk has some between two runs. */
export function slotsOfStates(slots: number, parkingSlots: number): number {
  return 2 * slots + parkingSlots + 1;
}

/**
 * Whether blocks of keys and values have room for the states behind them. Where states are far larger than a block's keys and values (recurrent layers)
 * nothing is kept of what prompts share: a few states would take the memory of thousands of tokens.
 */
export function blocksHaveStates(stateBytes: number, tokenBytes: number): boolean {
  return stateBytes <= MOST_STATE_BLOCKS * KV_BLOCK_TOKENS * tokenBytes;
}

/** How models are to be computed on the CPU. */
export interface CpuChoices {
  readonly products: CpuProducts;
  /** What keys and values are kept as where our own library computes attention; `auto` as the graph has them. */
  readonly kvType: KvType | 'auto';
}

/** How a runner works, for logs, the model card and benchmarks. */
export interface RunnerDescription {
  readonly provider: ExecutionProvider;
  /** `c-api`: ONNX Runtime's C API through koffi. `js-api`: onnxruntime-node's `InferenceSession`. */
  readonly binding: 'c-api' | 'js-api';
  /** `in-place`: past and present share memory. `copying`: every step writes the whole cache anew. */
  readonly kvCache: 'in-place' | 'copying';
  readonly runtimeVersion: string;
  /** What keys and values are kept as. */
  readonly kvType: KvType;
  /** `device`: the cache lives in the provider's own memory and never crosses to the host. */
  readonly kvMemory: 'host' | 'device';
  readonly kvBytes: number;
  /** Of these, what the parking slots take. */
  readonly parkingBytes: number;
  /** What the blocks for shared prefixes take, beside `kvBytes`. */
  readonly blockBytes: number;
  /**
   * What states of a fixed size take that layers keep beside keys and values, of all slots; 0 where there are none. Where there are, a slot holds them behind its
   * last token only: runs go on there or begin at 0, and copies and moves are of all of a slot's tokens.
   */
  readonly stateBytes: number;
  /** Decode runs of up to so many rows replay a CUDA graph; 0 where all are plain. */
  readonly capturedRows: number;
  /** Products of a run that our own library computes, on the CPU; 0 where ONNX Runtime computes all. */
  readonly ownProducts: number;
  /** Layers whose attention our own library computes, on the CPU. */
  readonly ownAttention: number;
  /**
   * A token's logits, keys and values have the same bits in whatever run they are computed: a chunk of any length, a decode run of any rows, a
   * verification. Where it is false, decode runs' bits differ from a prompt's.
   */
  readonly runInvariant: boolean;
  /** Why something else is used than the first choice: provider, binding, kind of cache, length of prompt runs. */
  readonly fallbacks: readonly string[];
}

/** Of keys and values, as many as the states that are kept with one may be large as. */
const MOST_STATE_BLOCKS = 4;

/** Tokens of a block of keys and values: what sequences with the same beginning share. */
export const KV_BLOCK_TOKENS = 16;

/** Tokens of the whole blocks that so many tokens take. */
export function wholeBlocks(tokens: number): number {
  return Math.ceil(tokens / KV_BLOCK_TOKENS) * KV_BLOCK_TOKENS;
}

/**
 * A chunk of a prompt computed in parts that take about as long as each other (some layers each), with other calls between them: decode runs
 * of other slots, copies. After the last part all is as after `prefill`. Until then the chunk's tokens are not the slot's yet:
 * copies and trims of the slot lose what was computed of them, and part 0, of whatever chunk, drops it.
 */
export interface PrefillParts {
  readonly count: number;
  /** Parts are run in order, 0 … count − 1, each with the same chunk. */
  run(part: number, slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void>;
}

/**
 * Several tokens of one slot computed at once that may turn out to be others (speculation): what becomes of them is seen by the logits
 * behind each. A rejected token is forgotten by giving the next call fewer `pastTokens`.
 */
export interface Verification {
  /** Most tokens at a time. */
  readonly maxTokens: number;
  /**
   * Appends `tokenIds` [n ≤ maxTokens] to `slot`, which already holds `pastTokens` tokens, as `prefill` does; then the rows 0 … n−1 of `logits`
   * belong to them, in order. Their bits are a prompt's.
   */
  run(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void>;
}

/**
 * One decoder with its KV cache, seen as `slots` seats of `slotTokens` tokens each.
 *
 * Decode covers the rows 0 … rows−1, so whoever schedules keeps the decoding sequences in the first slots; prefill works
 * on any one slot. Between calls a slot's cache is unchanged. A call either completes or leaves the slots it named with
 * undefined contents and throws. One call at a time. Runners that block their thread return nothing; others a promise.
 *
 * Exactness: a row's logits are bitwise the same whatever the other rows hold, and for any split of a prompt into chunks
 * of two or more tokens. A last chunk of one token takes attention's decode path and may differ in the last bits, unless the runner is
 * invariant to runs (`RunnerDescription.runInvariant`): then all ways to compute a token give the same.
 */
export interface ModelRunner {
  readonly description: RunnerDescription;
  readonly shape: DecoderShape;
  readonly slots: number;
  /**
   * Slots behind the others, numbered `slots` … `slots + parkingSlots − 1`, where a sequence's cache can be kept while
   * another sits in its seat: `copySlot` reaches them, prefill and decode do not.
   */
  readonly parkingSlots: number;
  /** Capacity of a slot in tokens. */
  readonly slotTokens: number;
  /**
   * [max(slots, verification's maxTokens), vocabularySize], overwritten by every call; prefill writes row 0, decode the rows 0 … rows−1,
   * verification one row for each token. With `deviceLogits` a row is written when it is fetched.
   */
  readonly logits: Float32Array;

  /** Null or left out where logits are in host memory. */
  readonly deviceLogits?: DeviceLogits | null;

  /** Loops over rows of `logits` that are quicker than what JavaScript can do; null or left out where there are none. */
  readonly logitsKernels?: LogitsKernels | null;

  /** Bytes that calls took between host and device memory so far; null or left out where the cache is in host memory. */
  readonly transferredBytes?: number | null;

  /** Decode calls so far that replayed a captured run in the place of launching its operators; null or left out where none are captured. */
  readonly graphReplays?: number | null;

  /**
   * Appends a chunk of a prompt to `slot`, which already holds `pastTokens` tokens; then row 0 of `logits` belongs to
   * the chunk's last token.
   * @param tokenIds [chunkTokens], read during the call only
   */
  prefill(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void>;

  /** Null or left out where `prefill` can only be made whole. */
  readonly prefillParts?: PrefillParts | null;

  /** Null or left out where it was not asked for, or can not be. */
  readonly verification?: Verification | null;

  /**
   * Appends one token to each of the slots 0 … rows−1.
   * @param tokenIds [≥ rows]
   * @param pastTokens [≥ rows] tokens that each slot already holds
   */
  decode(rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void>;

  /** Copies the first `tokens` tokens' keys and values from one slot to another; either may be a parking slot. What the other has behind them is undefined then. With states (`stateBytes`) all of them. */
  copySlot(from: number, to: number, tokens: number): void;

  /** Like `copySlot`, but leaves nothing behind: the two never take much more memory of the system than one, and all of it stays in one place. */
  moveSlot(from: number, to: number, tokens: number): void;

  /**
   * Tokens that slots and parking slots have memory of the system for: for each, the most that it held since it was trimmed, in whole blocks
   * (the system gives whole pages). Null where all memory was taken at the start.
   */
  readonly residentTokens: number | null;

  /** Gives the memory behind the first `tokens` tokens of a slot back to the system, as far as that is possible. */
  trimSlot(slot: number, tokens: number): void;

  /**
   * Blocks of `KV_BLOCK_TOKENS` tokens, numbered from 0, that outlive what sits in the slots; 0 where the runner keeps none.
   * A position's keys and values depend on the tokens before it only, so a block may be loaded behind the same tokens in any slot.
   */
  readonly blocks: number;

  /**
   * Copies the keys and values of `tokens` tokens of a slot, from `fromToken` on, a multiple of `KV_BLOCK_TOKENS`, to the beginning of a block. The slot's states go along where
   * they are behind the last of these.
   */
  saveBlock(slot: number, fromToken: number, block: number, tokens: number): void;

  /** Copies the first `tokens` tokens of a block into a slot, from `toToken` on, a multiple of `KV_BLOCK_TOKENS`. What the slot has behind them is undefined then. With states, runs can go on
   * behind them only where the block has the states behind its token `tokens`. */
  loadBlock(block: number, slot: number, toToken: number, tokens: number): void;

  /**
   * Address of the flag that stops a running call from another thread (`interruptRun` in libs/model-runner); the call
   * then throws `RunInterruptedError`. Null where the binding has none.
   */
  readonly interruptAddress: bigint | null;

  /** Frees the session and the cache. No call may be running. */
  close(): void | Promise<void>;
}
