/**
 * A run of tokens, at most a block long, behind those of its parent: the keys and values of what stands at these places in
 * a sequence that begins with the tokens of all blocks from the root on.
 */
export class PrefixBlock {
  readonly scope: string;
  /** Null for a scope's root, which has no tokens. */
  readonly parent: PrefixBlock | null;
  readonly tokenIds: Int32Array;
  /** Its number in the runner; −1 for a root. */
  readonly block: number;
  /** Full blocks by the hash of their tokens; two with the same hash have no room here, and the later is not kept. */
  readonly children = new Map<number, PrefixBlock>();
  /** The states behind its last token are kept too, on runners whose slots have some. */
  hasState = false;
  /** The one child that is not full, the end of some prompt. */
  partial: PrefixBlock | null = null;

  constructor(scope: string, parent: PrefixBlock | null, tokenIds: Int32Array, block: number) {
    this.scope = scope;
    this.parent = parent;
    this.tokenIds = tokenIds;
    this.block = block;
  }

  get isLeaf(): boolean {
    return this.children.size === 0 && this.partial === null;
  }

  /** How many of its tokens stand at `from` and behind. */
  matches(tokenIds: Int32Array, from: number): number {
    const own = this.tokenIds;
    const length = Math.min(own.length, tokenIds.length - from);
    let matching = 0;
    while (matching < length && own[matching] === tokenIds[from + matching]) matching++;
    return matching;
  }
}

/** FNV-1a over whole token ids, 32 bits. */
export function hashOfTokens(tokenIds: Int32Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (tokenIds[i] ?? 0), 0x01000193);
  return hash >>> 0;
}
