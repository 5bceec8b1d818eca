export interface CacheSize {
  readonly slots: number;
  /** Further slots, numbered after the others, to keep sequences in that sit in none. */
  readonly parkingSlots: number;
  readonly slotTokens: number;
  /** Blocks for prefixes that sequences share; none when left out. */
  readonly blocks?: number;
}
