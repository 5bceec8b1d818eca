import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';

/** About 600 bytes each. */
const MOST_KEPT = 1_000;
/** Forgotten when nothing was refused for so long. */
const KEPT_MS = 30 * 24 * 3_600_000;

/** A request that was refused after its attempts, because it may be what ends those who work on it. No text of it. */
export interface RefusedRequest {
  readonly requestId: string;
  readonly tenantId: string;
  readonly model: string;
  readonly refusedAtMs: number;
  /** `worker`: workers were lost with it; `replica`: API replicas that had taken it over. */
  readonly lost: 'worker' | 'replica';
  readonly lostAttempts: number;
  /** Of those that are known, in order. */
  readonly lostIds: string[];
  readonly promptTokens: number;
  readonly deliveredTokens: number;
  /** SHA-256 of what the worker was asked to do: the same for the same request sent again. */
  readonly fingerprint: string;
  /** What the last one said. */
  readonly cause: string;
}

/** Keeps for the operator which requests were refused so. Methods throw MillraceError `unavailable` when Redis is away. */
export class RefusedRequests {
  readonly #redis: Redis;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async add(refused: RefusedRequest): Promise<void> {
    const key = redisKeys.refusedRequests;
    await redisCall(this.#redis, `note that ${refused.requestId} was refused`, () =>
      this.#redis
        .multi()
        .xadd(key, 'MAXLEN', '~', MOST_KEPT, '*', 'request', JSON.stringify(refused))
        .pexpire(key, KEPT_MS)
        .exec(),
    );
  }

  /** The newest first, at most `count`. */
  async list(count: number): Promise<RefusedRequest[]> {
    const entries = await redisCall(this.#redis, 'list the refused requests', () =>
      this.#redis.xrevrange(redisKeys.refusedRequests, '+', '-', 'COUNT', count),
    );
    return entries.map(([, fields]) => JSON.parse(fields[1] ?? '{}') as RefusedRequest);
  }
}
