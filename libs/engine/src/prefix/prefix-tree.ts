import { hashOfTokens, PrefixBlock } from './prefix-block.ts';

/** Tokens that are kept somewhere: the first `tokens` of a block. */
export interface PrefixPart {
  readonly block: number;
  readonly tokens: number;
}

/** Called with a block that was made for the tokens from `fromToken` on, which are to be copied into it now. */
export type FillBlock = (block: number, fromToken: number, tokens: number) => void;

const NO_TOKENS = new Int32Array(0);
const NO_BLOCK = -1;

/**
 * Which beginnings of sequences are kept, and in which blocks: for each scope a tree whose edges are blocks of tokens, so
 * that what sequences share is kept once (automatic prefix caching as in vLLM, Kwon et al., "Efficient Memory Management
 * for Large Language Model Serving with PagedAttention", SOSP 2023; with trees as SGLang's, Zheng et al., 2024). A block is
 * found by the hash of its tokens below its parent, and its tokens are compared, so no hash decides what is shared.
 * What ends within a block is kept too, and found to the token.
 *
 * When blocks run out, the one unused for longest goes. Whoever uses a block uses those before it, and they are marked
 * later: the oldest is always a leaf.
 */
export class PrefixTree {
  readonly #blockTokens: number;
  readonly #free: number[];
  readonly #total: number;
  readonly #roots = new Map<string, PrefixBlock>();
  /** From the one unused for longest to the newest. */
  readonly #byUse = new Set<PrefixBlock>();
  #evictions = 0;

  constructor(blocks: number, blockTokens: number) {
    this.#total = blocks;
    this.#blockTokens = blockTokens;
    this.#free = Array.from({ length: blocks }, (_, index) => blocks - 1 - index);
  }

  get usedBlocks(): number {
    return this.#total - this.#free.length;
  }

  /** Blocks that were given up for others. */
  get evictions(): number {
    return this.#evictions;
  }

  /** The longest kept beginning of `tokenIds`, at most `limit` tokens of it, part by part. */
  find(scope: string, tokenIds: Int32Array, limit: number): PrefixPart[] {
    const parts: PrefixPart[] = [];
    let position = 0;
    let last: PrefixBlock | null = null;
    for (let block = this.#roots.get(scope); block !== undefined; ) {
      const next: { block: PrefixBlock; tokens: number } | null = this.#best(block, tokenIds, position, limit);
      if (next === null) break;
      parts.push({ block: next.block.block, tokens: next.tokens });
      position += next.tokens;
      last = next.block;
      block = next.tokens === this.#blockTokens ? next.block : undefined;
    }
    this.#use(last);
    return parts;
  }

  /**
   * The longest kept beginning that can be gone on from where slots have states: it ends with a whole block of the tree that has one.
   * Keys and values may be kept beyond it; `keptTokens` says how far, in whole blocks.
   */
  findState(scope: string, tokenIds: Int32Array, limit: number): { parts: PrefixPart[]; keptTokens: number } {
    const parts: PrefixPart[] = [];
    let [ending, position]: [number, number] = [0, 0];
    let last: PrefixBlock | null = null;
    let end: PrefixPart | null = null;
    for (let block = this.#roots.get(scope); block !== undefined; ) {
      const { partial } = block;
      if (partial?.hasState === true && this.#fits(partial, tokenIds, position, limit)) {
        [ending, last] = [parts.length, partial];
        end = { block: partial.block, tokens: partial.tokenIds.length };
      }
      const next = position + this.#blockTokens <= limit ? this.#fullChild(block, tokenIds, position) : null;
      if (!(next instanceof PrefixBlock)) break;
      parts.push({ block: next.block, tokens: this.#blockTokens });
      position += this.#blockTokens;
      if (next.hasState) [ending, last, end] = [parts.length, next, null];
      block = next;
    }
    this.#use(last);
    return { parts: [...parts.slice(0, ending), ...(end === null ? [] : [end])], keptTokens: position };
  }

  #fits(block: PrefixBlock, tokenIds: Int32Array, position: number, limit: number): boolean {
    const { length } = block.tokenIds;
    return position + length <= limit && block.matches(tokenIds, position) === length;
  }

  /**
   * Keeps the first `tokens` of `tokenIds`, as far as there is room beside what is in use just now.
   * @param hasState what is filled from has the states behind the last of them; false by default
   */
  extend(scope: string, tokenIds: Int32Array, tokens: number, fill: FillBlock, hasState = false): void {
    const size = this.#blockTokens;
    let last = this.#roots.get(scope) ?? new PrefixBlock(scope, null, NO_TOKENS, NO_BLOCK);
    for (let position = 0; position < tokens; position += size) {
      const length = Math.min(size, tokens - position);
      const isState = hasState && position + length === tokens;
      const next =
        length === size
          ? this.#fullChild(last, tokenIds, position)
          : this.#partialChild(last, tokenIds, position, length, isState);
      if (next === 'kept') break;
      if (next !== null) {
        // The same keys and values once more, and with them what is missing.
        if (isState && !next.hasState) fill(next.block, position, length);
        next.hasState ||= isState;
        last = next;
        continue;
      }
      this.#use(last);
      const block = this.#takeBlock(last);
      if (block === null) break;
      fill(block, position, length);
      last = this.#add(last, tokenIds.slice(position, position + length), block);
      last.hasState = isState;
    }
    this.#use(last);
  }

  /** Gives up everything that begins like `tokenIds` does, from its first block on. */
  forget(scope: string, tokenIds: Int32Array): void {
    const root = this.#roots.get(scope);
    if (root === undefined) return;
    const first = this.#fullChild(root, tokenIds, 0);
    if (first instanceof PrefixBlock) this.#removeAll(first);
    if (root.partial !== null && root.partial.matches(tokenIds, 0) > 0) this.#remove(root.partial);
  }

  /** The child with most of the tokens at `position`. */
  #best(
    parent: PrefixBlock,
    tokenIds: Int32Array,
    position: number,
    limit: number,
  ): { block: PrefixBlock; tokens: number } | null {
    if (position >= limit) return null;
    const full = position + this.#blockTokens <= limit ? this.#fullChild(parent, tokenIds, position) : null;
    if (full instanceof PrefixBlock) return { block: full, tokens: this.#blockTokens };
    let best: { block: PrefixBlock; tokens: number } | null = null;
    const offer = (block: PrefixBlock): void => {
      const tokens = Math.min(block.matches(tokenIds, position), limit - position);
      if (tokens > (best?.tokens ?? 0)) best = { block, tokens };
    };
    if (parent.partial !== null) offer(parent.partial);
    for (const child of parent.children.values()) offer(child);
    return best;
  }

  /** Null when there is none; `kept` when its place is taken by tokens with the same hash. */
  #fullChild(parent: PrefixBlock, tokenIds: Int32Array, position: number): PrefixBlock | 'kept' | null {
    const size = this.#blockTokens;
    if (position + size > tokenIds.length) return null;
    const child = parent.children.get(hashOfTokens(tokenIds, position, position + size));
    if (child === undefined) return null;
    return child.matches(tokenIds, position) === size ? child : 'kept';
  }

  /** The last tokens of a prompt need no block of their own where another block begins with them, but for the state behind them. */
  #partialChild(
    parent: PrefixBlock,
    tokenIds: Int32Array,
    position: number,
    length: number,
    isState: boolean,
  ): 'kept' | null {
    if (!isState)
      for (const child of parent.children.values()) if (child.matches(tokenIds, position) >= length) return 'kept';
    const { partial } = parent;
    if (partial === null) return null;
    if (partial.matches(tokenIds, position) >= length && !(isState && partial.tokenIds.length > length)) return 'kept';
    this.#remove(partial);
    return null;
  }

  #add(parent: PrefixBlock, tokenIds: Int32Array, block: number): PrefixBlock {
    const { scope, partial } = parent;
    const added = new PrefixBlock(scope, parent, tokenIds, block);
    if (parent.parent === null) this.#roots.set(scope, parent);
    this.#byUse.add(added);
    if (tokenIds.length < this.#blockTokens) {
      parent.partial = added;
    } else {
      parent.children.set(hashOfTokens(tokenIds, 0, tokenIds.length), added);
      if (partial !== null && added.matches(partial.tokenIds, 0) === partial.tokenIds.length) this.#remove(partial);
    }
    return added;
  }

  /** A free block, or the one unused for longest; null when only `tip` and what it stands on is left. */
  #takeBlock(tip: PrefixBlock): number | null {
    if (this.#free.length === 0) {
      const [oldest] = this.#byUse;
      if (oldest === undefined || oldest === tip) return null;
      this.#remove(oldest);
      this.#evictions += 1;
    }
    return this.#free.pop() ?? null;
  }

  #remove(block: PrefixBlock): void {
    const { parent } = block;
    if (parent?.partial === block) parent.partial = null;
    else parent?.children.delete(hashOfTokens(block.tokenIds, 0, block.tokenIds.length));
    this.#byUse.delete(block);
    this.#free.push(block.block);
    if (parent?.parent === null && parent.isLeaf) this.#roots.delete(block.scope);
  }

  #removeAll(block: PrefixBlock): void {
    const doomed = [block];
    for (const each of doomed) doomed.push(...each.children.values(), ...(each.partial === null ? [] : [each.partial]));
    for (const each of doomed.reverse()) this.#remove(each);
  }

  /** Marks a block and those before it, the first one last. */
  #use(last: PrefixBlock | null): void {
    for (let block = last; block !== null && block.parent !== null; block = block.parent) {
      this.#byUse.delete(block);
      this.#byUse.add(block);
    }
  }
}
