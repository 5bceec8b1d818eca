import type { TokenTable } from '#contracts';

/** A token table where token t is `texts[t]`; a null text makes a control token. */
export function tokenTableOf(texts: readonly (string | Uint8Array | null)[], stripLeadingSpace = false): TokenTable {
  const encoder = new TextEncoder();
  const pieces = texts.map((text) => (typeof text === 'string' ? encoder.encode(text) : (text ?? new Uint8Array(0))));
  const offsets = new Uint32Array(pieces.length + 1);
  pieces.forEach((piece, token) => {
    offsets[token + 1] = offsets[token] + piece.length;
  });
  const bytes = new Uint8Array(offsets[pieces.length]);
  pieces.forEach((piece, token) => {
    bytes.set(piece, offsets[token]);
  });
  return { bytes, offsets, special: Uint8Array.from(texts, (text) => (text === null ? 1 : 0)), stripLeadingSpace };
}

/** Tokens `<0>`, `<1>`, …: every token's text tells its id. */
export function numberedTokenTable(vocabularySize: number): TokenTable {
  return tokenTableOf(Array.from({ length: vocabularySize }, (_, token) => `<${token}>`));
}
