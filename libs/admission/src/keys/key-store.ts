import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { MillraceError } from '#contracts';
import { redisCall, redisKeys } from '#queue';
import { type Clock, systemClock } from '../clock.ts';
import { apiKeyHash, apiKeyPrefix, newApiKey } from './api-key.ts';
import { type KeyListing, KeyRecord, type KeyRole } from './key-record.ts';

export interface NewKey {
  readonly tenantId: string;
  readonly role?: KeyRole;
  readonly note?: string;
  /** Unix time in ms. */
  readonly expiresAtMs?: number | null;
}

export interface CreatedKey {
  /** The key itself: shown now and never again. */
  readonly key: string;
  readonly record: KeyListing;
}

/**
 * API keys in Redis under their SHA-256. Every change is announced to all replicas.
 * Every method throws MillraceError `unavailable` when Redis is away.
 */
export class KeyStore {
  readonly #redis: Redis;
  readonly #clock: Clock;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis, clock: Clock = systemClock) {
    this.#redis = redis;
    this.#clock = clock;
  }

  /** @throws MillraceError not_found when there is no such tenant, invalid_request when it would be expired from the start */
  async create(request: NewKey): Promise<CreatedKey> {
    const nowMs = this.#clock.nowMs();
    const expiresAtMs = request.expiresAtMs ?? null;
    if (expiresAtMs !== null && expiresAtMs <= nowMs) {
      const message = `expiresAtMs is ${expiresAtMs}, which is past. Give a Unix time in ms that is to come, or null for a key that does not expire.`;
      throw new MillraceError('invalid_request', message, { param: 'expiresAtMs' });
    }
    const known = await redisCall(this.#redis, `read tenant ${request.tenantId}`, () =>
      this.#redis.hexists(redisKeys.tenants, request.tenantId),
    );
    if (known === 0) throw new MillraceError('not_found', `There is no tenant "${request.tenantId}". Create it first.`);
    const key = newApiKey();
    const record = KeyRecord.parse({
      keyId: randomUUID(),
      hash: apiKeyHash(key),
      tenantId: request.tenantId,
      role: request.role ?? 'tenant',
      prefix: apiKeyPrefix(key),
      note: request.note ?? '',
      createdAtMs: nowMs,
      expiresAtMs,
    });
    await this.put(record);
    return { key, record: listing(record, null) };
  }

  /** Stores a key that was made elsewhere, of which only the hash is known. */
  async put(record: KeyRecord): Promise<void> {
    await redisCall(this.#redis, `store key ${record.keyId}`, () =>
      this.#redis
        .multi()
        .hset(redisKeys.apiKeys, record.hash, JSON.stringify(record))
        .publish(redisKeys.tenancyChanged, record.tenantId)
        .exec(),
    );
  }

  /** All keys, or one tenant's, oldest first. */
  async list(tenantId?: string): Promise<KeyListing[]> {
    const records = await this.records(tenantId);
    const uses = await redisCall(this.#redis, 'read the last uses of keys', () =>
      this.#redis.hgetall(redisKeys.apiKeyUses),
    );
    return records.map((record) => listing(record, uses[record.keyId] ?? null));
  }

  /** With their hashes, for an export. */
  async records(tenantId?: string): Promise<KeyRecord[]> {
    const texts = await redisCall(this.#redis, 'list the keys', () => this.#redis.hvals(redisKeys.apiKeys));
    return texts
      .map((text) => KeyRecord.parse(JSON.parse(text)))
      .filter((record) => tenantId === undefined || record.tenantId === tenantId)
      .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.keyId < b.keyId ? -1 : 1));
  }

  /** Refused on every replica within a second. @returns whether there was such a key */
  async revoke(keyId: string): Promise<boolean> {
    const record = (await this.records()).find((candidate) => candidate.keyId === keyId);
    if (record === undefined) return false;
    const results = await redisCall(this.#redis, `revoke key ${keyId}`, () =>
      this.#redis
        .multi()
        .hdel(redisKeys.apiKeys, record.hash)
        .hdel(redisKeys.apiKeyUses, keyId)
        .publish(redisKeys.tenancyChanged, record.tenantId)
        .exec(),
    );
    return results?.[0]?.[1] === 1;
  }

  /** All of a tenant's, so that none is valid again when a tenant of that id is made anew. @returns how many there were */
  async revokeAllOf(tenantId: string): Promise<number> {
    const records = await this.records(tenantId);
    if (records.length === 0) return 0;
    await redisCall(this.#redis, `revoke the keys of ${tenantId}`, () =>
      this.#redis
        .multi()
        .hdel(redisKeys.apiKeys, ...records.map(({ hash }) => hash))
        .hdel(redisKeys.apiKeyUses, ...records.map(({ keyId }) => keyId))
        .publish(redisKeys.tenancyChanged, tenantId)
        .exec(),
    );
    return records.length;
  }

  /**
   * Replaces a key by a new one of the same tenant, role and note; the old one stays valid for `overlapMs`. The new one lives as
   * long as the old one was made for, so that a rotation never makes a key eternal that was not.
   * @param expiresAtMs another end of the new key, null for none
   * @throws MillraceError not_found when there is no such key
   */
  async rotate(keyId: string, overlapMs = 0, expiresAtMs?: number | null): Promise<CreatedKey> {
    const old = (await this.records()).find((candidate) => candidate.keyId === keyId);
    if (old === undefined) throw new MillraceError('not_found', `There is no key with the id "${keyId}".`);
    const nowMs = this.#clock.nowMs();
    const created = await this.create({
      tenantId: old.tenantId,
      role: old.role,
      note: old.note,
      expiresAtMs: expiresAtMs === undefined ? sameLifetime(old, nowMs) : expiresAtMs,
    });
    if (overlapMs <= 0) await this.revoke(keyId);
    else {
      const endsMs = nowMs + overlapMs;
      await this.put({ ...old, expiresAtMs: Math.min(old.expiresAtMs ?? endsMs, endsMs) });
    }
    return created;
  }
}

function sameLifetime({ createdAtMs, expiresAtMs }: KeyRecord, nowMs: number): number | null {
  return expiresAtMs === null ? null : nowMs + expiresAtMs - createdAtMs;
}

function listing(record: KeyRecord, lastUse: string | null): KeyListing {
  const { hash: _, ...shown } = record;
  return { ...shown, lastUsedAtMs: lastUse === null ? null : Number(lastUse) };
}
