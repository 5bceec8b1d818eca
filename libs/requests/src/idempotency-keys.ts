import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { RedisScript, redisCall, redisKeys } from '#queue';
import { LUA_FOLDER } from './lua-folder.ts';

const claimKey = new RedisScript(LUA_FOLDER, 'claim-key', 1);
const releaseKey = new RedisScript(LUA_FOLDER, 'release-key', 1);

/** From the key to the queue; a replica that died in between holds the key for so long. */
const PENDING_MS = 30_000;

export interface KeyClaim {
  readonly tenantId: string;
  readonly keyHash: string;
  /** Says what is asked: the same key with another one is a mistake of the client. */
  readonly fingerprint: string;
  readonly requestId: string;
  /** The replica that lets it in. */
  readonly replicaId: string;
  /** A request whose end is worth another try, or whose replica died before it began; null for none. */
  readonly replaces: string | null;
}

/**
 * - `new`: the key is the request's
 * - `attach`: another request has the key, and its answer is kept
 * - `pending`: another request has it and has not begun its answer
 * - `mismatch`: another request has it and asks for something else
 */
export interface KeyVerdict {
  readonly verdict: 'new' | 'attach' | 'pending' | 'mismatch';
  readonly requestId: string;
  /** Of that request. */
  readonly replicaId: string;
}

/** Which request an `Idempotency-Key` stands for. Methods throw MillraceError `unavailable` when Redis is away. */
export class IdempotencyKeys {
  readonly #redis: Redis;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async claim({ tenantId, keyHash, fingerprint, requestId, replicaId, replaces }: KeyClaim): Promise<KeyVerdict> {
    const args = [fingerprint, requestId, PENDING_MS, redisKeys.keptAnswer(tenantId, ''), replaces ?? '', replicaId];
    const answer = await this.#run(claimKey, tenantId, keyHash, args);
    const [verdict, holder, holderReplica] = answer as [KeyVerdict['verdict'], string, string];
    return { verdict, requestId: holder, replicaId: holderReplica };
  }

  /** The request was refused: the key stands for nothing again. */
  async release(tenantId: string, keyHash: string, requestId: string): Promise<void> {
    await this.#run(releaseKey, tenantId, keyHash, [requestId]);
  }

  #run(script: RedisScript, tenantId: string, keyHash: string, args: readonly (string | number)[]): Promise<unknown> {
    return redisCall(this.#redis, `${script.name} for an idempotency key`, () =>
      script.run(this.#redis, [redisKeys.idempotencyKey(tenantId, keyHash)], args),
    );
  }
}

/** Keys are the client's own words, so only their SHA-256 is stored. */
export function idempotencyKeyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
