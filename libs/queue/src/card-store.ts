import type { Redis } from 'ioredis';
import { ModelCard, type PackedCard, unpackCard } from '#contracts';
import { CardCorruptError } from './card-corrupt-error.ts';
import { redisCall } from './redis-call.ts';
import { redisKeys } from './redis-keys.ts';

/** A card that no worker has refreshed for this long is forgotten. */
const CARD_TTL_MS = 30 * 24 * 3_600_000;

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

  /** `get` finds it under its hash. */
  async put({ model, hash, bytes }: PackedCard): Promise<void> {
    if (await this.refresh(hash)) return;
    const packed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await redisCall(this.#redis, `store the card of ${model}`, () =>
      this.#redis.set(redisKeys.card(hash), packed, 'PX', CARD_TTL_MS),
    );
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
    const { json, hash: actual } = await unpackCard(packed).catch((error: unknown) => {
      throw new CardCorruptError(hash, 'it can not be unpacked', error);
    });
    if (actual !== hash) throw new CardCorruptError(hash, `its contents have the hash ${actual}`);
    const card = ModelCard.safeParse(JSON.parse(json));
    if (!card.success)
      throw new CardCorruptError(hash, 'it is of a version that this release does not read', card.error);
    return card.data;
  }
}
