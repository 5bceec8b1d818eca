import type { TokenTable } from '#contracts';
import type { GrammarState, GrammarStates } from './grammar-states.ts';
import { MaskWalk } from './mask-walk.ts';
import { NO_TOKEN, type TrieNodes } from './trie-nodes.ts';

export interface LongestToken {
  /** Of several with the same bytes the one with the highest number. */
  readonly token: number;
  readonly bytes: number;
  /** The text ends inside longer tokens. */
  readonly mayBeLonger: boolean;
}

/**
 * The tokens of a vocabulary as a tree of their bytes, in the order of a depth-first walk: a walk that follows a grammar
 * finds all tokens that fit, and where a byte does not fit it leaves out every token behind it.
 */
export class TokenTrie {
  readonly vocabularySize: number;
  readonly #longest: number;
  readonly #nodes: TrieNodes;
  readonly #table: TokenTable;

  /** @param vocabularySize of the model, in tokens; tokens without bytes, and those beyond the table, fit nowhere */
  constructor(table: TokenTable, vocabularySize: number) {
    this.vocabularySize = vocabularySize;
    this.#table = table;
    const { bytes, offsets } = table;
    const known = Math.min(vocabularySize, offsets.length - 1);
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const order = Array.from({ length: known }, (_, token) => token).filter(
      (token) => offsets[token + 1] > offsets[token],
    );
    order.sort((a, b) => all.compare(all, offsets[b], offsets[b + 1], offsets[a], offsets[a + 1]) || a - b);

    const nodeBytes = new Uint8Array(bytes.length);
    const depths = new Uint16Array(bytes.length);
    const ends = new Int32Array(bytes.length);
    const tokens = new Int32Array(bytes.length).fill(NO_TOKEN);
    const twins = new Int32Array(vocabularySize).fill(NO_TOKEN);
    const open: number[] = [];
    let count = 0;
    for (const token of order) {
      const [from, to] = [offsets[token], offsets[token + 1]];
      let shared = 0;
      while (shared < open.length && from + shared < to && nodeBytes[open[shared]] === bytes[from + shared])
        shared += 1;
      while (open.length > shared) ends[open.pop() ?? 0] = count;
      for (let index = from + shared; index < to; index++) {
        nodeBytes[count] = bytes[index];
        depths[count] = open.push(count) - 1;
        count += 1;
      }
      const last = open[open.length - 1];
      twins[token] = tokens[last];
      tokens[last] = token;
    }
    this.#longest = order.reduce((longest, token) => Math.max(longest, offsets[token + 1] - offsets[token]), 1);
    while (open.length > 0) ends[open.pop() ?? 0] = count;
    this.#nodes = {
      bytes: nodeBytes.slice(0, count),
      depths: depths.slice(0, count),
      ends: ends.slice(0, count),
      tokens: tokens.slice(0, count),
      twins,
    };
  }

  /** Bytes of the longest token. */
  get longestToken(): number {
    return this.#longest;
  }

  /** Words of a mask: [ceil(vocabularySize / 32)]. */
  get maskWords(): number {
    return Math.ceil(this.vocabularySize / 32);
  }

  /** What makes the bits of the tokens all of whose bytes may come next, a piece at a time. */
  walk(start: GrammarState): MaskWalk {
    return new MaskWalk(this.#nodes, start, this.maskWords);
  }

  /** A token's bytes; none beyond the table. */
  bytesOf(token: number): Uint8Array {
    const { bytes, offsets } = this.#table;
    return bytes.subarray(offsets[token], offsets[token + 1]);
  }

  /** The bits of a token, and of all with the same bytes. */
  maskOf(token: number): Int32Array {
    const mask = new Int32Array(this.maskWords);
    for (let each = token; each !== NO_TOKEN; each = this.#nodes.twins[each]) mask[each >>> 5] |= 1 << (each & 31);
    return mask;
  }

  /** A text as tokens, each the longest that fits; none where a byte of it has no token. */
  spell(text: Uint8Array): number[] {
    const spelt: number[] = [];
    for (let from = 0; from < text.length; ) {
      const { token, bytes } = this.longestAt(text, from);
      if (token === NO_TOKEN) return [];
      spelt.push(token);
      from += bytes;
    }
    return spelt;
  }

  /** The longest token that a text has from a byte on; NO_TOKEN, of 0 bytes, where it has none. */
  longestAt(text: Uint8Array, from: number): LongestToken {
    const { bytes, ends, tokens } = this.#nodes;
    let longest = { token: NO_TOKEN, bytes: 0 };
    let [node, end] = [0, bytes.length];
    for (let at = from; at < text.length; at++) {
      while (node < end && bytes[node] !== text[at]) node = ends[node];
      if (node >= end) return { ...longest, mayBeLonger: false };
      if (tokens[node] !== NO_TOKEN) longest = { token: tokens[node], bytes: at + 1 - from };
      end = ends[node];
      node += 1;
    }
    return { ...longest, mayBeLonger: node < end };
  }

  /** The state behind a token's bytes; null where they do not fit, or where it has none. */
  advance(states: GrammarStates, start: GrammarState, token: number): GrammarState | null {
    const { bytes, offsets } = this.#table;
    const [from, to] = [offsets[token], offsets[token + 1]];
    if (!(from < to)) return null;
    let state: GrammarState | null = start;
    states.startWork();
    for (let index = from; index < to && state !== null; index++) state = states.step(state, bytes[index]);
    return state;
  }
}
