import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';

export interface ReplicaPresenceOptions {
  readonly replicaId: string;
  /** A replica that was silent for so long is dead; heartbeats come at a quarter of it. */
  readonly deadAfterMs: number;
  readonly onError?: (error: unknown) => void;
}

/** A replica that said nothing for this long owns nothing that could still be saved. */
const FORGOTTEN_MS = 3_600_000;

/** Says that this replica lives, and tells which others do. */
export class ReplicaPresence implements Disposable {
  readonly replicaId: string;
  readonly #redis: Redis;
  readonly #deadAfterMs: number;
  readonly #timer: NodeJS.Timeout;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis, options: ReplicaPresenceOptions) {
    this.#redis = redis;
    this.replicaId = options.replicaId;
    this.#deadAfterMs = options.deadAfterMs;
    const beat = () => void this.beat().catch((error: unknown) => options.onError?.(error));
    this.#timer = setInterval(beat, options.deadAfterMs / 4).unref();
  }

  /** @throws MillraceError unavailable */
  async beat(): Promise<void> {
    await redisCall(this.#redis, 'say that this replica lives', async () => {
      const now = await this.#nowMs();
      await this.#redis
        .multi()
        .set(redisKeys.replicaBeat(this.replicaId), now, 'PX', this.#deadAfterMs)
        .zadd(redisKeys.replicas, now, this.replicaId)
        .exec();
    });
  }

  /**
   * Whether a replica has said so lately; this one lives, even where Redis was away for so long that it could not say so.
   * @throws MillraceError unavailable
   */
  async isAlive(replicaId: string): Promise<boolean> {
    if (replicaId === this.replicaId) return true;
    if (replicaId === '') return false;
    const found = await redisCall(this.#redis, 'look for a replica', () =>
      this.#redis.exists(redisKeys.replicaBeat(replicaId)),
    );
    return found === 1;
  }

  /** Others that were there within the last hour and have gone without taking leave. @throws MillraceError unavailable */
  async dead(): Promise<string[]> {
    return redisCall(this.#redis, 'look for dead replicas', async () => {
      await this.#redis.zremrangebyscore(redisKeys.replicas, '-inf', (await this.#nowMs()) - FORGOTTEN_MS);
      const known = await this.#redis.zrange(redisKeys.replicas, 0, -1);
      const all = known.filter((replicaId) => replicaId !== this.replicaId);
      if (all.length === 0) return [];
      const beats = await this.#redis.mget(all.map(redisKeys.replicaBeat));
      return all.filter((_, index) => beats[index] === null);
    });
  }

  /** Nothing of a dead replica is left to do. @throws MillraceError unavailable */
  async forget(replicaId: string): Promise<void> {
    await redisCall(this.#redis, 'forget a replica', () =>
      this.#redis
        .multi()
        .zrem(redisKeys.replicas, replicaId)
        .del(redisKeys.replicaOwned(replicaId), redisKeys.replicaCancels(replicaId))
        .exec(),
    );
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** By Redis' clock: those of replicas may differ, and jump. */
  async #nowMs(): Promise<number> {
    return Number((await this.#redis.time())[0]) * 1_000;
  }
}
