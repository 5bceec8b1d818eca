import type { LastGathers } from '../signature/last-gathers.ts';
import type { MaskLengths } from '../signature/mask-lengths.ts';

/**
 * What is changed in a graph as it is loaded, so that it computes what the model does with a cache of a row's whole past, and
 * nothing that nobody reads.
 */
export type GraphEdit =
  /** The graph of this file, from tokens to embeddings, stands in front of a decoder that takes embeddings (`joinedModel`). */
  | { readonly kind: 'embedding'; readonly file: string }
  /** Positions in several rows, [rows, batch, sequence], of which text has the same in all, are made of [batch, sequence]. */
  | { readonly kind: 'position-rows'; readonly rows: number }
  /** Layers that would keep a ring of their window's size keep all; the window stays, as attention's local_window_size. */
  | { readonly kind: 'whole-cache' }
  /** A window that the graph leaves to its runtime becomes attention's own, in these layers or in all. */
  | { readonly kind: 'window'; readonly tokens: number; readonly layers: readonly number[] | null }
  /** The If that gives `output`, and chooses between two rotary tables, always takes the same one. */
  | { readonly kind: 'rotary-table'; readonly output: string; readonly condition: boolean }
  /** A decoder of two branches takes the one with a past when `past` holds tokens; the input that told it is none any more. */
  | { readonly kind: 'cache-branch'; readonly past: string }
  /**
   * Of `values` the nodes whose first outputs are `readers`, in the graph's order, get each row's last position only; with `counted` as many
   * last ones as a new input `num_logits_to_keep` says, for which the graph gives logits then.
   */
  | {
      readonly kind: 'last-position';
      readonly values: readonly string[];
      readonly readers: readonly string[];
      readonly counted?: boolean;
    }
  /**
   * GatherND nodes that take each row's last position by its length take the last position of all, and what made their indices is left out: the
   * same where no row is padded. With `counted` they give as many last ones as a new input `num_logits_to_keep` says.
   */
  | ({ readonly kind: 'sliced-positions'; readonly counted?: boolean } & LastGathers)
  /** Rows' lengths are inputs, `seqlens_k` [batch] and `total_sequence_length` int32, in the place of a mask that told nothing else. */
  | ({ readonly kind: 'lengths' } & MaskLengths);
