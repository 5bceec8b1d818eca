import type { Sequence } from '../sequences/sequence.ts';

/**
 * What the next step does.
 * - `prefill`: computes the next chunk of one prompt, or one of the parts that it is computed in
 * - `decode`: computes one token of every row
 * - `verify`: computes the last token of the only row and what was proposed behind it
 * - `join`: no forward pass; siblings of a computed prompt got their slots and draw their first token
 * - `idle`: nothing to do
 */
export type SchedulerOutput =
  | {
      readonly kind: 'prefill';
      readonly sequence: Sequence;
      readonly chunkTokens: number;
      readonly part: number;
      readonly parts: number;
    }
  | { readonly kind: 'decode'; readonly rows: readonly Sequence[] }
  | { readonly kind: 'verify'; readonly sequence: Sequence; readonly proposals: readonly number[] }
  | { readonly kind: 'join'; readonly sequences: readonly Sequence[] }
  | { readonly kind: 'idle' };
