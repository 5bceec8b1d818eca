/**
 * tokenizer.json of a SentencePiece BPE. Its merges are not written in a GGUF: every pair of pieces that makes a piece is
 * one, in the order of the scores of what they make (as transformers' converter of `tokenizer.model` files has it).
 */
export function sentencePieceJson(
  tokens: readonly string[],
  scores: readonly number[],
  { spaceFirst, unknown }: { spaceFirst: boolean; unknown: string },
): object {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const pieces = tokens.map((token) => [...token]);
  const lengths = new Set(pieces.map((characters) => characters.length));
  const merges: { pair: [string, string]; score: number; left: number; right: number }[] = [];
  for (const [id, characters] of pieces.entries()) {
    // Only where both parts have the length of some token, so that a very long one takes no longer than others.
    for (const cut of lengths) {
      if (cut === 0 || cut >= characters.length || !lengths.has(characters.length - cut)) continue;
      const pair: [string, string] = [characters.slice(0, cut).join(''), characters.slice(cut).join('')];
      const left = ids.get(pair[0]);
      const right = ids.get(pair[1]);
      if (left !== undefined && right !== undefined) merges.push({ pair, score: scores[id] ?? 0, left, right });
    }
  }
  merges.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right);
  const spaces = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  const strip = { type: 'Strip', content: ' ', start: 1, stop: 0 };
  return {
    normalizer: { type: 'Sequence', normalizers: [...(spaceFirst ? [{ type: 'Prepend', prepend: '▁' }] : []), spaces] },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(spaceFirst ? [strip] : []),
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: unknown,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(ids),
      merges: merges.map(({ pair }) => pair),
    },
  };
}
