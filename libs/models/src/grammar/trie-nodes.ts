export const NO_TOKEN = -1;

/** A vocabulary's tree of bytes, in the order of a depth-first walk. */
export interface TrieNodes {
  /** [nodes] The byte that leads to the node. */
  readonly bytes: Uint8Array;
  /** [nodes] How many bytes lead to it, less one. */
  readonly depths: Uint16Array;
  /** [nodes] The first node that is not below it. */
  readonly ends: Int32Array;
  /** [nodes] A token that ends there, or −1. */
  readonly tokens: Int32Array;
  /** [vocabularySize] Another token with the same bytes, or −1. */
  readonly twins: Int32Array;
}
