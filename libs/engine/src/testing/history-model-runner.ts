import {
  type DecoderShape,
  KV_BLOCK_TOKENS,
  type ModelRunner,
  type PrefillParts,
  type RunnerDescription,
  type Verification,
  wholeBlocks,
} from '#contracts';
import { HiddenLogits, type HiddenLogitsOptions } from './hidden-logits.ts';

export interface HistoryModelRunnerOptions {
  readonly slots?: number;
  readonly parkingSlots?: number;
  readonly slotTokens?: number;
  readonly blocks?: number;
  readonly vocabularySize?: number;
  /** Parts in which it computes prompts where it is asked to; 1 by default. */
  readonly prefillParts?: number;
  /** Most tokens that it verifies at a time; 0, the default, for none. */
  readonly verifyTokens?: number;
  /** One token takes the path of several; false by default. */
  readonly runInvariant?: boolean;
  /** Logits are kept as a device keeps them; in `logits` by default. */
  readonly hiddenLogits?: HiddenLogitsOptions;
  /** Slots have states, which are behind their last token only (`RunnerDescription.stateBytes`); false by default. */
  readonly keepsStates?: boolean;
  /** True makes prefill and decode return promises. */
  readonly asynchronous?: boolean;
}

const DESCRIPTION = {
  provider: 'cpu',
  binding: 'js-api',
  kvCache: 'in-place',
  runtimeVersion: 'test',
  kvType: 'float32',
  kvMemory: 'host',
  fallbacks: [],
  kvBytes: 0,
  parkingBytes: 0,
  blockBytes: 0,
  stateBytes: 0,
  capturedRows: 0,
  ownProducts: 0,
  ownAttention: 0,
} as const;

const NO_STATE = -1;

/**
 * A deterministic runner in memory for tests. A slot's cache is the history of its tokens, and logits are a hash of the
 * slot's whole history: a wrong slot move, a stale token or a wrong past length gives other tokens. Like real attention
 * it takes another path for one token than for several, so a prompt that is cut differently gives other tokens too, unless it is to be invariant to runs. Verified tokens take the
 * path of decode runs, so that answers are the same with them and without.
 */
export class HistoryModelRunner implements ModelRunner {
  readonly description: RunnerDescription;
  readonly shape: DecoderShape;
  readonly slots: number;
  readonly parkingSlots: number;
  readonly slotTokens: number;
  readonly blocks: number;
  readonly logits: Float32Array;
  readonly interruptAddress = null;
  readonly deviceLogits: HiddenLogits | null;
  /** Where runs write, and `afterRun` may spoil, rows. [slots, vocabularySize] */
  readonly writtenLogits: Float32Array;
  readonly prefillParts: PrefillParts | null;
  readonly verification: Verification | null;
  /** The chunk that is being computed in parts, and how many of them are. */
  #chunk: { readonly key: string; done: number } | null = null;
  /** [slots + parkingSlots][tokens] hash of each token with the path it was computed on */
  readonly #histories: number[][];
  /** [slots + parkingSlots] tokens behind which each slot's states are */
  readonly #positions: number[];
  /** [blocks][≤ KV_BLOCK_TOKENS] */
  readonly #blocks: number[][];
  /** [blocks] tokens behind which the states are that a block has */
  readonly #blockPositions: number[];
  readonly #asynchronous: boolean;
  /** [slots + parkingSlots] most tokens that each held since it was trimmed */
  readonly #touched: number[];
  /** Most that slots had memory of at a time. */
  mostResidentTokens = 0;
  /** Thrown by the next run, then forgotten. */
  failNext: Error | null = null;
  /** Called at the end of each run, for instance to spoil its logits. */
  afterRun: (kind: 'prefill' | 'decode' | 'verify', rows: number) => void = () => {};
  /** Every run so far, for instance `prefill slot=1 past=0 tokens=8`. */
  readonly log: string[] = [];
  closed = false;

  constructor(options: HistoryModelRunnerOptions = {}) {
    const { keepsStates = false } = options;
    this.description = { ...DESCRIPTION, runInvariant: options.runInvariant === true, stateBytes: keepsStates ? 1 : 0 };
    const { slots = 4, parkingSlots = 0, slotTokens = 64, vocabularySize = 32, asynchronous = false } = options;
    this.blocks = options.blocks ?? 0;
    this.#blocks = Array.from({ length: this.blocks }, () => []);
    this.#blockPositions = this.#blocks.map(() => NO_STATE);
    this.slots = slots;
    this.parkingSlots = parkingSlots;
    this.slotTokens = slotTokens;
    this.shape = { vocabularySize, layers: 1, kvHeads: 1, headSize: 1, maxPositions: slotTokens };
    const { verifyTokens = 0 } = options;
    this.logits = new Float32Array(Math.max(slots, verifyTokens) * vocabularySize).fill(Number.NaN);
    this.verification =
      verifyTokens === 0 ? null : { maxTokens: verifyTokens, run: (...run) => this.#verify(verifyTokens, ...run) };
    this.deviceLogits =
      options.hiddenLogits === undefined ? null : new HiddenLogits(this.logits, vocabularySize, options.hiddenLogits);
    this.writtenLogits = this.deviceLogits?.rows ?? this.logits;
    this.#histories = Array.from({ length: slots + parkingSlots }, () => []);
    this.#positions = this.#histories.map(() => 0);
    this.#touched = this.#histories.map(() => 0);
    this.#asynchronous = asynchronous;
    const { prefillParts: count = 1 } = options;
    this.prefillParts = count === 1 ? null : { count, run: (...part) => this.#prefillPart(count, ...part) };
  }

  /** Nothing of a chunk is in the slot before its last part, which has to be of the same chunk in the same slot. */
  #prefillPart(count: number, part: number, slot: number, tokenIds: Int32Array, past: number): void | Promise<void> {
    const key = `slot ${slot}, tokens ${tokenIds.join(' ')} behind ${past}`;
    if (part === 0) this.#chunk = { key, done: 0 };
    if (this.#chunk?.key !== key || this.#chunk.done !== part) throw new Error(`part ${part} of ${key} is out of turn`);
    this.#chunk.done += 1;
    if (part === count - 1) return this.prefill(slot, tokenIds, past);
    return this.#run(() => {
      this.log.push(`part ${part} slot=${slot} past=${past} tokens=${tokenIds.length}`);
      this.#throwIfAsked();
    });
  }

  prefill(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void> {
    return this.#run(() => {
      this.log.push(`prefill slot=${slot} past=${pastTokens} tokens=${tokenIds.length}`);
      this.#throwIfAsked();
      const oneTokenPath = tokenIds.length === 1 && pastTokens > 0;
      for (let index = 0; index < tokenIds.length; index++) {
        this.#append(slot, tokenIds[index], pastTokens + index, oneTokenPath);
      }
      this.#writeLogits(0, slot);
      this.afterRun('prefill', 1);
    });
  }

  #verify(most: number, slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void> {
    return this.#run(() => {
      this.log.push(`verify slot=${slot} past=${pastTokens} tokens=${tokenIds.length}`);
      if (tokenIds.length < 1 || tokenIds.length > most)
        throw new Error(`${tokenIds.length} tokens of at most ${most}`);
      this.#throwIfAsked();
      for (let row = 0; row < tokenIds.length; row++) {
        this.#append(slot, tokenIds[row], pastTokens + row, true);
        this.#writeLogits(row, slot);
      }
      this.afterRun('verify', tokenIds.length);
    });
  }

  decode(rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void> {
    return this.#run(() => {
      this.log.push(`decode rows=${rows}`);
      if (rows < 1 || rows > this.slots) throw new Error(`decode of ${rows} rows with ${this.slots} slots`);
      this.#throwIfAsked();
      for (let row = 0; row < rows; row++) {
        this.#append(row, tokenIds[row], pastTokens[row], true);
        this.#writeLogits(row, row);
      }
      this.afterRun('decode', rows);
    });
  }

  copySlot(from: number, to: number, tokens: number): void {
    this.#put(this.#histories[from], from, to, tokens);
  }

  #put(source: readonly number[], from: number, to: number, tokens: number): void {
    if (this.#histories[to] === undefined) throw new Error(`there is no slot ${to}`);
    if (source.length < tokens) throw new Error(`slot ${from} holds ${source.length} tokens, not ${tokens}`);
    this.#assertState(from, tokens);
    this.#positions[to] = tokens;
    this.#histories[to] = source.slice(0, tokens);
    this.#touch(to);
  }

  moveSlot(from: number, to: number, tokens: number): void {
    if (from === to) return;
    const source = this.#histories[from];
    this.#touched[from] = 0;
    this.#histories[from] = [];
    this.#put(source, from, to, tokens);
  }

  get residentTokens(): number {
    return this.#touched.reduce((sum, tokens) => sum + tokens, 0);
  }

  trimSlot(slot: number, tokens: number): void {
    this.#touched[slot] = Math.min(this.#touched[slot], wholeBlocks(tokens));
    this.#histories[slot].length = Math.min(this.#histories[slot].length, tokens);
  }

  saveBlock(slot: number, fromToken: number, block: number, tokens: number): void {
    const saved = this.#histories[slot].slice(fromToken, fromToken + tokens);
    if (saved.length < tokens) throw new Error(`slot ${slot} has no tokens ${fromToken} to ${fromToken + tokens - 1}`);
    if (tokens > KV_BLOCK_TOKENS || this.#blocks[block] === undefined) throw new Error(`no room in block ${block}`);
    this.#blocks[block] = [...saved, ...this.#blocks[block].slice(tokens)];
    this.#blockPositions[block] = this.#positions[slot] === fromToken + tokens ? fromToken + tokens : NO_STATE;
  }

  loadBlock(block: number, slot: number, toToken: number, tokens: number): void {
    const loaded = this.#blocks[block].slice(0, tokens);
    if (loaded.length < tokens) throw new Error(`block ${block} holds ${loaded.length} tokens, not ${tokens}`);
    const history = this.#histories[slot];
    this.#histories[slot] = [...history.slice(0, toToken), ...loaded];
    this.#positions[slot] = this.#blockPositions[block] === toToken + tokens ? toToken + tokens : NO_STATE;
    this.#touch(slot);
    if (this.#histories[slot].length !== toToken + tokens) throw new Error(`slot ${slot} has a gap before ${toToken}`);
  }

  close(): void {
    this.closed = true;
  }

  #run(work: () => void): void | Promise<void> {
    if (this.closed) throw new Error('the runner is closed');
    if (!this.#asynchronous) return work();
    return new Promise((resolve) => setImmediate(resolve)).then(work);
  }

  #throwIfAsked(): void {
    const error = this.failNext;
    this.failNext = null;
    if (error !== null) throw error;
  }

  #append(slot: number, token: number, pastTokens: number, oneTokenPath: boolean): void {
    const history = this.#histories[slot];
    if (history.length < pastTokens) {
      throw new Error(`slot ${slot} holds ${history.length} tokens, but ${pastTokens} past tokens were claimed`);
    }
    if (pastTokens >= this.slotTokens) throw new Error(`slot ${slot} is full with ${pastTokens} tokens`);
    this.#assertState(slot, pastTokens);
    this.#positions[slot] = pastTokens + 1;
    history.length = pastTokens;
    const previous = pastTokens === 0 ? 0x9e3779b9 : history[pastTokens - 1];
    history.push(
      mix(
        previous ^ Math.imul(token + 1, 0x85ebca6b) ^ (oneTokenPath && !this.description.runInvariant ? 0x5bd1e995 : 0),
      ),
    );
    this.#touch(slot);
  }

  #assertState(slot: number, tokens: number): void {
    if (this.description.stateBytes === 0 || tokens === 0 || this.#positions[slot] === tokens) return;
    throw new Error(`the states of slot ${slot} are behind ${this.#positions[slot]} tokens, not ${tokens}`);
  }

  #touch(slot: number): void {
    this.#touched[slot] = Math.max(this.#touched[slot], wholeBlocks(this.#histories[slot].length));
    this.mostResidentTokens = Math.max(this.mostResidentTokens, this.residentTokens);
  }

  #writeLogits(row: number, slot: number): void {
    const { vocabularySize } = this.shape;
    const hash = this.#histories[slot].at(-1) ?? 0;
    for (let token = 0; token < vocabularySize; token++) {
      const noise = mix(hash + Math.imul(token, 0x9e3779b9)) / 0x1_0000_0000;
      this.writtenLogits[row * vocabularySize + token] = noise * 8 - 4;
    }
  }
}

/** Finalizer of MurmurHash3; unsigned 32 bits. */
function mix(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
