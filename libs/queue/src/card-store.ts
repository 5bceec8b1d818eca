import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import type { Redis } from 'ioredis';
import { canonicalCardJson, ModelCard } from '#contracts';
import { CardCorruptError } from './card-corrupt-error.ts';
import { redisCall } from './redis-call.ts';
import { redisKeys } from './redis-keys.ts';

const compress = promisify(brotliCompress);
const decompress = promisify(brotliDecompress);

/** A card that no worker has refreshed for this long is forgotten. */
const CARD_TTL_MS = 30 * 24 * 3_600_000;
/** Bound on what a stored card may unpack to; the largest tokenizers known are below 40 MB. */
const MAX_CARD_BYTES = 256 * 1024 * 1024;
/** Brotli quality: 5 packs a 7 MB tokenizer about as small as gzip's best, in a fraction of the time of 11. */
const QUALITY = 5;

/**
 * Model cards in Redis under the SHA-256 of their canonical JSON: written once, never changed, checked when read.
 * Every method throws MillraceError `unavailable` when Redis is away.
 */
export class CardStore {
  readonly #redis: Redis;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** @returns the card's hash, under which `get` finds it */
  async put(card: ModelCard): Promise<string> {
    const json = canonicalCardJson(card);
    const hash = sha256(json);
    if (await this.refresh(hash)) return hash;
    const packed = await compress(json, { params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY } });
    await redisCall(this.#redis, `store the card of ${card.model}`, () =>
      this.#redis.set(redisKeys.card(hash), packed, 'PX', CARD_TTL_MS),
    );
    return hash;
  }

  /** Keeps a card from being forgotten. @returns false when Redis does not hold it (any more) */
  async refresh(hash: string): Promise<boolean> {
    const found = await redisCall(this.#redis, 'refresh a model card', () =>
      this.#redis.pexpire(redisKeys.card(hash), CARD_TTL_MS),
    );
    return found === 1;
  }

  /**
   * @returns null when no card has this hash
   * @throws CardCorruptError when what is stored is not the card of this hash
   */
  async get(hash: string): Promise<ModelCard | null> {
    const packed = await redisCall(this.#redis, 'read a model card', () => this.#redis.getBuffer(redisKeys.card(hash)));
    if (packed === null) return null;
    let json: string;
    try {
      json = (await decompress(packed, { maxOutputLength: MAX_CARD_BYTES })).toString();
    } catch (error) {
      throw new CardCorruptError(hash, 'it can not be unpacked', error);
    }
    const actual = sha256(json);
    if (actual !== hash) throw new CardCorruptError(hash, `its contents have the hash ${actual}`);
    const card = ModelCard.safeParse(JSON.parse(json));
    if (!card.success)
      throw new CardCorruptError(hash, 'it is of a version that this release does not read', card.error);
    return card.data;
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
