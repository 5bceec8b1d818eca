import type { ByteRange } from './utf8-ranges.ts';

/** What the bytes of one character may be, the first first. `rest` is null where the character ends. */
export interface ByteTree {
  readonly edges: readonly { readonly range: ByteRange; readonly rest: ByteTree | null }[];
}

/**
 * The tree of sequences of byte ranges. What begins alike is one edge and what ends alike one tree, so that the 700 ranges
 * of all letters are some hundred trees and not thousands of sequences.
 */
export function byteTree(sequences: readonly (readonly ByteRange[])[]): ByteTree {
  return treeOf(sequences, new Map(), new Map());
}

function treeOf(
  sequences: readonly (readonly ByteRange[])[],
  interned: Map<string, ByteTree>,
  ids: Map<ByteTree | null, number>,
): ByteTree {
  const byRange = new Map<number, { readonly range: ByteRange; readonly tails: (readonly ByteRange[])[] }>();
  for (const [range, ...tail] of sequences) {
    if (range === undefined) continue;
    const place = range[0] * 256 + range[1];
    const entry = byRange.get(place) ?? { range, tails: [] };
    byRange.set(place, entry);
    if (tail.length > 0) entry.tails.push(tail);
  }
  const edges = [...byRange.values()].map(({ range, tails }) => {
    return { range, rest: tails.length === 0 ? null : treeOf(tails, interned, ids) };
  });
  const key = edges.map(({ range, rest }) => `${range}:${rest === null ? '' : ids.get(rest)}`).join(';');
  const tree = interned.get(key) ?? { edges };
  interned.set(key, tree);
  if (!ids.has(tree)) ids.set(tree, ids.size);
  return tree;
}
