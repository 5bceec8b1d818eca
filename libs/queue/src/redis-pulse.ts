import type { Redis } from 'ioredis';

const TICK_MS = 500;
/** Ticks that a ping may stay unanswered before Redis counts as silent. */
const SILENT_TICKS = 2;
/** Ticks of silence after which the connection is made anew: the network may have forgotten it. */
const RECONNECT_TICKS = 10;

const pulses = new WeakMap<Redis, RedisPulse>();

/**
 * Whether a connection's Redis answers, found out by pings. A server that is stopped or behind a broken network keeps its
 * connections and says nothing, so that every caller would wait out its own time limit; with a pulse the first ones do, and
 * the others are told at once. Time is counted in turns of the event loop, so that a busy process does not take Redis for
 * silent. A silent connection is made anew after 5 s; its answers count again from the first ping that comes back.
 */
export class RedisPulse {
  readonly #redis: Redis;
  #answered = true;
  #unansweredTicks = 0;
  #lost = false;
  #silent = false;

  private constructor(redis: Redis) {
    this.#redis = redis;
    pulses.set(redis, this);
    const timer = setInterval(() => this.#tick(), TICK_MS).unref();
    redis.on('ready', () => {
      this.#lost = false;
      this.#hear();
    });
    redis.on('close', () => {
      this.#lost = true;
    });
    redis.on('end', () => clearInterval(timer));
  }

  /** Pings from now on until the connection is closed for good. */
  static watch(redis: Redis): RedisPulse {
    return new RedisPulse(redis);
  }

  static of(redis: Redis): RedisPulse | undefined {
    return pulses.get(redis);
  }

  /** Why a call can not be answered now; null when it can, as far as is known. */
  get problem(): string | null {
    if (this.#silent) return 'it does not answer';
    return this.#lost ? 'the connection is lost' : null;
  }

  #hear(): void {
    this.#answered = true;
    this.#unansweredTicks = 0;
    this.#silent = false;
  }

  #tick(): void {
    const { status } = this.#redis;
    // Connected, but not yet `ready`: the server has not answered the greeting. While it reconnects there is nobody to ask.
    if (status !== 'ready' && status !== 'connect') return;
    if (!this.#answered) this.#unansweredTicks += 1;
    if (this.#unansweredTicks >= SILENT_TICKS) this.#silent = true;
    this.#answered = false;
    if (this.#unansweredTicks >= RECONNECT_TICKS) {
      this.#unansweredTicks = 0;
      this.#redis.disconnect(true);
    } else if (status === 'ready') {
      this.#redis.ping().then(
        () => this.#hear(),
        () => {},
      );
    }
  }
}
