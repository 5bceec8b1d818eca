import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import type { ModelCard } from './model-card.ts';

const compress = promisify(brotliCompress);
const decompress = promisify(brotliDecompress);

/** Brotli quality: 5 packs a 7 MB tokenizer about as small as gzip's best, in a fraction of the time of 11. */
const QUALITY = 5;
/** Bound on what a card may unpack to; the largest tokenizers known are below 40 MB. */
const MAX_CARD_BYTES = 256 * 1024 * 1024;

/** A card as it is stored and kept, a quarter of its size; plain data that can be posted to a thread. */
export interface PackedCard {
  readonly model: string;
  /** SHA-256, in hex, of the card's canonical JSON: the name under which workers publish it and jobs refer to it. */
  readonly hash: string;
  /** Brotli of the canonical JSON. */
  readonly bytes: Uint8Array;
}

/** Equal cards have equal hashes, whatever the order of their keys. */
export async function packCard(card: ModelCard): Promise<PackedCard> {
  const json = JSON.stringify(card, withSortedKeys);
  const bytes = await compress(json, { params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY } });
  return { model: card.model, hash: sha256(json), bytes };
}

/**
 * @returns the card's canonical JSON and the hash that it really has
 * @throws Error when the bytes are no packed text
 */
export async function unpackCard(bytes: Uint8Array): Promise<{ readonly json: string; readonly hash: string }> {
  const json = (await decompress(bytes, { maxOutputLength: MAX_CARD_BYTES })).toString();
  return { json, hash: sha256(json) };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function withSortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
