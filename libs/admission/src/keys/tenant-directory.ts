import type { Redis } from 'ioredis';
import { redisCall, redisKeys, subscriberOf } from '#queue';
import { type Clock, systemClock } from '../clock.ts';
import { PriceList } from '../credits/price-list.ts';
import { TenantRecord } from '../tenants/tenant-record.ts';
import { apiKeyHash, sameHash } from './api-key.ts';
import { KeyRecord } from './key-record.ts';

/** Nothing is believed for longer, so a revocation works within this time even when its notice is lost. */
const BELIEVED_MS = 500;
/** What is asked for at this age is read anew in the background, so that no request waits where they follow each other. */
const READ_ANEW_MS = 200;
/** Bound on what a flood of unknown keys can make a replica remember. */
const MOST_ENTRIES = 20_000;
/** Last uses are written once per key and minute. */
const USE_NOTED_MS = 60_000;

interface Entry {
  readonly value: Promise<unknown>;
  readonly readAtMs: number;
  /** Somebody reads it anew. */
  renewing: boolean;
}

/** A key that is valid now, and whose it is. */
export interface KnownKey {
  readonly key: KeyRecord;
  readonly tenant: TenantRecord;
}

/**
 * Tenants, keys and prices as one replica sees them: read from Redis, believed for at most 500 ms, forgotten at once on
 * a notice. Concurrent questions share one read. Every method throws MillraceError `unavailable` when Redis is away.
 */
export class TenantDirectory implements Disposable {
  readonly #redis: Redis;
  readonly #clock: Clock;
  readonly #subscriber: Redis;
  readonly #entries = new Map<string, Entry>();
  readonly #usesNoted = new Map<string, number>();

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis, clock: Clock = systemClock) {
    this.#redis = redis;
    this.#clock = clock;
    this.#subscriber = subscriberOf(redis);
    const forget = () => this.#entries.clear();
    this.#subscriber.on('message', forget);
    this.#subscriber.on('ready', forget);
    this.#subscriber.subscribe(redisKeys.tenancyChanged).catch(() => {});
  }

  /** @returns null when the key is unknown, revoked or expired, or its tenant is gone */
  async byKey(apiKey: string): Promise<KnownKey | null> {
    const hash = apiKeyHash(apiKey);
    const key = await this.#read(`key ${hash}`, async () => {
      const text = await redisCall(this.#redis, 'read an API key', () => this.#redis.hget(redisKeys.apiKeys, hash));
      return text === null ? null : KeyRecord.parse(JSON.parse(text));
    });
    if (key === null || !sameHash(key.hash, hash)) return null;
    if (key.expiresAtMs !== null && key.expiresAtMs <= this.#clock.nowMs()) return null;
    const tenant = await this.tenant(key.tenantId);
    if (tenant === null) return null;
    this.#noteUse(key.keyId);
    return { key, tenant };
  }

  tenant(tenantId: string): Promise<TenantRecord | null> {
    return this.#read(`tenant ${tenantId}`, async () => {
      const text = await redisCall(this.#redis, `read tenant ${tenantId}`, () =>
        this.#redis.hget(redisKeys.tenants, tenantId),
      );
      return text === null ? null : TenantRecord.parse(JSON.parse(text));
    });
  }

  prices(): Promise<PriceList> {
    return this.#read('prices', async () => {
      const text = await redisCall(this.#redis, 'read the prices', () => this.#redis.get(redisKeys.prices));
      return PriceList.parse(text === null ? {} : JSON.parse(text));
    });
  }

  [Symbol.dispose](): void {
    this.#subscriber.disconnect();
  }

  /** The age counts from when the read began, so a change during it is not believed longer either. */
  #read<Value>(name: string, read: () => Promise<Value>): Promise<Value> {
    const nowMs = performance.now();
    const known = this.#entries.get(name);
    if (known !== undefined && nowMs - known.readAtMs < BELIEVED_MS) {
      if (nowMs - known.readAtMs >= READ_ANEW_MS && !known.renewing) this.#renew(name, known, read, nowMs);
      return known.value as Promise<Value>;
    }
    if (this.#entries.size >= MOST_ENTRIES) this.#entries.clear();
    const value = read();
    const entry = { value, readAtMs: nowMs, renewing: false };
    this.#entries.set(name, entry);
    value.catch(() => {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
    });
    return value;
  }

  /** What was read takes the entry's place, unless that was forgotten meanwhile; a failed read leaves it to its end. */
  #renew(name: string, known: Entry, read: () => Promise<unknown>, readAtMs: number): void {
    known.renewing = true;
    read().then(
      (value) => {
        if (this.#entries.get(name) !== known) return;
        this.#entries.set(name, { value: Promise.resolve(value), readAtMs, renewing: false });
      },
      () => {
        known.renewing = false;
      },
    );
  }

  #noteUse(keyId: string): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - (this.#usesNoted.get(keyId) ?? 0) < USE_NOTED_MS) return;
    if (this.#usesNoted.size >= MOST_ENTRIES) this.#usesNoted.clear();
    this.#usesNoted.set(keyId, nowMs);
    // Nobody waits for it, and the next use writes it again.
    this.#redis.hset(redisKeys.apiKeyUses, keyId, nowMs).catch(() => {});
  }
}
