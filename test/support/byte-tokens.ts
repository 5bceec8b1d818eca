import type { TokenTable } from '#contracts';

/** The token that ends, behind one for each byte. */
export const END = 256;

/** A token for each byte, and one that ends. */
export const byteTokens: TokenTable = {
  bytes: Uint8Array.from({ length: 256 }, (_, byte) => byte),
  offsets: Uint32Array.from({ length: 258 }, (_, token) => Math.min(token, 256)),
  special: new Uint8Array(257),
  stripLeadingSpace: false,
};
