import type { ByteRange } from './regular/utf8-ranges.ts';

/** One place in a grammar, and what may follow it. Nodes refer to each other, in circles too. */
export type GrammarNode =
  /** A byte of one of the ranges is written, and the grammar goes on at that range's target; ranges may overlap. */
  | { readonly kind: 'bytes'; readonly edges: readonly ByteEdge[] }
  /** Any of the targets, without writing anything. */
  | { readonly kind: 'split'; readonly targets: GrammarNode[] }
  /** What `rule` says, up to its return; then `next`. */
  | { readonly kind: 'call'; readonly rule: GrammarNode; readonly next: GrammarNode }
  /** `body`, `least` to `most` times; then `next`. */
  | {
      readonly kind: 'repeat';
      readonly body: GrammarNode;
      readonly least: number;
      readonly most: number;
      readonly next: GrammarNode;
    }
  /** `body`, any number of times; then `next`. */
  | { readonly kind: 'loop'; readonly body: GrammarNode; readonly next: GrammarNode }
  /** `body`, in which each `tick` counts a character, up to `most`; then `next`. */
  | {
      readonly kind: 'counted';
      readonly body: GrammarNode;
      readonly most: number;
      /** Most characters that any part of the body still needs. */
      readonly margin: number;
      readonly next: GrammarNode;
    }
  /** A character of a `counted`, where there is room for it and for the `needed` ones that have to follow. */
  | { readonly kind: 'tick'; readonly needed: number; readonly target: GrammarNode }
  /** `target`, but only where fewer rules are open than a document may be nested deep. */
  | { readonly kind: 'shallow'; readonly target: GrammarNode }
  /** The rule is complete: on where it was called, or the end. */
  | { readonly kind: 'return' };

export interface ByteEdge {
  readonly range: ByteRange;
  readonly target: GrammarNode;
}

export const RETURN: GrammarNode = { kind: 'return' };
