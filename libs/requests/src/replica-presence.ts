import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';

export interface ReplicaPresenceOptions {
  readonly replicaId: string;
  /** `host:port` under which workers reach its relay. */
  readonly relayAddress: string;
  /** A replica that was silent for so long is dead; heartbeats come at a quarter of it. */
  readonly deadAfterMs: number;
  readonly onError?: (error: unknown) => void;
}

/** A replica that said nothing for this long owns nothing that could still be saved. */
const FORGOTTEN_MS = 3_600_000;

/** Says that this replica lives and where its relay is, and tells which others live. */
export class ReplicaPresence implements AsyncDisposable {
  readonly replicaId: string;
  readonly #redis: Redis;
  readonly #deadAfterMs: number;
  /** Its entry among the relays. */
  readonly #relay: string;
  readonly #timer: NodeJS.Timeout;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis, options: ReplicaPresenceOptions) {
    this.#redis = redis;
    this.replicaId = options.replicaId;
    this.#deadAfterMs = options.deadAfterMs;
    this.#relay = `${options.replicaId} ${options.relayAddress}`;
    const beat = () => void this.beat().catch((error: unknown) => options.onError?.(error));
    this.#timer = setInterval(beat, options.deadAfterMs / 4).unref();
  }

  /** @throws MillraceError unavailable */
  async beat(): Promise<void> {
    await redisCall(this.#redis, 'say that this replica lives', async () => {
      const now = await nowMsOf(this.#redis);
      await this.#redis
        .multi()
        .set(redisKeys.replicaBeat(this.replicaId), now, 'PX', this.#deadAfterMs)
        .zadd(redisKeys.replicas, now, this.replicaId)
        .zadd(redisKeys.replicaRelays, now + this.#deadAfterMs, this.#relay)
        .zremrangebyscore(redisKeys.replicaRelays, '-inf', now)
        .pexpire(redisKeys.replicaRelays, this.#deadAfterMs)
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
      await this.#redis.zremrangebyscore(redisKeys.replicas, '-inf', (await nowMsOf(this.#redis)) - FORGOTTEN_MS);
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

  /** From now on no worker dials this replica before a job names it. That it lived is left to expire. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await redisCall(this.#redis, 'leave the relays', () =>
      this.#redis.zrem(redisKeys.replicaRelays, this.#relay),
    ).catch(() => {}); // It expires as well.
  }
}

/**
 * Where the relays of the replicas that live are, by replica id; a replica of an older release does not say it.
 * @param redis a `producer` connection
 * @throws MillraceError unavailable
 */
export async function relayAddresses(redis: Redis): Promise<ReadonlyMap<string, string>> {
  return redisCall(redis, 'look for relays', async () => {
    const [now, entries] = await Promise.all([
      nowMsOf(redis),
      redis.zrange(redisKeys.replicaRelays, 0, -1, 'WITHSCORES'),
    ]);
    const addresses = new Map<string, string>();
    for (let index = 0; index < entries.length; index += 2) {
      const [replicaId, address] = (entries[index] ?? '').split(' ');
      if (replicaId && address && Number(entries[index + 1]) > now) addresses.set(replicaId, address);
    }
    return addresses;
  });
}

/** By Redis' clock: those of replicas may differ, and jump. */
async function nowMsOf(redis: Redis): Promise<number> {
  return Number((await redis.time())[0]) * 1_000;
}
