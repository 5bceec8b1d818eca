import type { GrammarState, GrammarStates } from './grammar-states.ts';
import { NO_TOKEN, type TrieNodes } from './trie-nodes.ts';

/** Nodes that are passed between two looks at the clock: some 10 µs. */
const NODES_PER_LOOK = 256;

/** One mask in the making: a walk over all tokens that fit from a state on, which may pause at any node. */
export class MaskWalk {
  readonly #nodes: TrieNodes;
  /** [depth] The states on the way to the node. */
  readonly #path: GrammarState[];
  /** [ceil(vocabularySize / 32)] Bits of the tokens found so far. */
  readonly allowed: Int32Array;
  #node = 0;
  #work = 0;
  #failure: unknown;

  constructor(nodes: TrieNodes, start: GrammarState, maskWords: number) {
    this.#nodes = nodes;
    this.#path = [start];
    this.allowed = new Int32Array(maskWords);
  }

  /**
   * Goes on until the mask is whole, or `performance.now()` is `untilMs`; by a few nodes at least.
   * @returns whether the mask is whole
   * @throws GrammarWorkError when more than a mask may cost has been looked at, in all; from then on each time
   */
  goOn(states: GrammarStates, untilMs: number): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#walk(states, untilMs);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #walk(states: GrammarStates, untilMs: number): boolean {
    const { bytes, depths, ends, tokens, twins } = this.#nodes;
    const [path, allowed] = [this.#path, this.allowed];
    let look = this.#node + NODES_PER_LOOK;
    let node = this.#node;
    states.startWork(this.#work);
    while (node < bytes.length) {
      const depth = depths[node];
      const byte = bytes[node];
      const state = path[depth];
      let next = state.transitions[byte];
      if (next === undefined) {
        next = states.step(state, byte);
        look = node;
      }
      if (next === null) {
        node = ends[node];
      } else {
        path[depth + 1] = next;
        for (let token = tokens[node]; token !== NO_TOKEN; token = twins[token])
          allowed[token >>> 5] |= 1 << (token & 31);
        node += 1;
      }
      if (node < look) continue;
      if (performance.now() >= untilMs) break;
      look = node + NODES_PER_LOOK;
    }
    this.#node = node;
    this.#work = states.work;
    return node >= bytes.length;
  }
}
