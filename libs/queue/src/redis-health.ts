import type { Redis } from 'ioredis';

/** A PING that takes longer counts as none. */
const PING_LIMIT_MS = 500;

export interface RedisMemory {
  readonly usedBytes: number;
  /** `maxmemory`, or all memory of the machine where that is 0. */
  readonly limitBytes: number;
}

/** How a connection to Redis does, for metrics. */
export class RedisHealth {
  readonly #redis: Redis;
  #reconnects = 0;

  constructor(redis: Redis) {
    this.#redis = redis;
    redis.on('reconnecting', () => {
      this.#reconnects += 1;
    });
  }

  /** How often the connection was lost and made anew, or tried to be. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** Time of one PING in ms; null when Redis does not answer within half a second. Never rejects. */
  async pingMs(): Promise<number | null> {
    if (this.#redis.status !== 'ready') return null;
    const beganMs = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), PING_LIMIT_MS);
    });
    const answered = this.#redis.ping().then(
      () => performance.now() - beganMs,
      () => null,
    );
    const pingMs = await Promise.race([answered, late]);
    clearTimeout(timer);
    return pingMs;
  }

  /** @throws when Redis is away */
  async memory(): Promise<RedisMemory> {
    const info = await this.#redis.info('memory');
    const field = (name: string) => Number(info.match(new RegExp(`^${name}:(\\d+)`, 'm'))?.[1] ?? 0);
    return { usedBytes: field('used_memory'), limitBytes: field('maxmemory') || field('total_system_memory') };
  }
}
