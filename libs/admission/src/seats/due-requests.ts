import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';
import { LuaScript } from '../lua/lua-script.ts';

const announceDue = new LuaScript('announce-due', 1);
const summonDue = new LuaScript('summon-due', 4);

/** Workers that may look at a request one after the other until one has a seat for it. */
const PASSES = 4;
/** Notices that nobody takes, because no worker parks sequences or none is there, are not kept beyond these, nor longer. */
const NOTICES_KEPT = 64;
const NOTICES_KEPT_MS = 10_000;
const NOTICE_WAIT_SECONDS = 2;
/** An answer that is so late does not come any more: the network has forgotten the connection. */
const ANSWER_WAIT_MS = NOTICE_WAIT_SECONDS * 1_000 + 3_000;
const RETRY_DELAY_MS = 500;

/** A request that was put before all others for the worker that asked. */
export interface SummonedRequest {
  readonly jobId: string;
  readonly choices: number;
}

/** Hears of notices; tells by its answer whether this worker has taken what there was, so that nobody else need look. */
export type DueNotices = () => Promise<'done' | 'pass on'>;

/**
 * One model's requests that are due a seat although none is free: those of tenants that have less than their share on a
 * worker. API replicas announce them; one worker at a time, of those with room for one, hears of each and summons it.
 */
export class DueRequests {
  readonly #redis: Redis;
  readonly #model: string;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis, model: string) {
    this.#redis = redis;
    this.#model = model;
  }

  /** Somebody waits who may be due a seat. @throws MillraceError `unavailable` when Redis is away */
  async announce(passes: number = PASSES): Promise<void> {
    await redisCall(this.#redis, `announce a request for ${this.#model}`, () =>
      announceDue.run(this.#redis, [redisKeys.dueNotices(this.#model)], [passes, NOTICES_KEPT, NOTICES_KEPT_MS]),
    );
  }

  /**
   * Makes the first request of a tenant that has less than its share here the next one that a worker takes.
   * @param haveShare tenants that are not due anything on this worker
   * @param room sequences that it can take
   * @throws MillraceError `unavailable` when Redis is away
   */
  async summon(haveShare: readonly string[], room: number): Promise<SummonedRequest | null> {
    const keys = [
      redisKeys.lines(this.#model),
      redisKeys.prioritizedJobs(this.#model),
      redisKeys.waitJobs(this.#model),
      redisKeys.jobMarker(this.#model),
    ];
    const args = [room, redisKeys.jobPrefix(this.#model), ...haveShare];
    const answer = (await redisCall(this.#redis, `summon a request for ${this.#model}`, () =>
      summonDue.run(this.#redis, keys, args),
    )) as [string, number] | null;
    return answer === null ? null : { jobId: answer[0], choices: answer[1] };
  }

  /** Listens for notices on a connection of its own, and passes on those that are not this worker's. */
  watch(listener: DueNotices): Disposable {
    const blocking = this.#redis.duplicate({
      enableOfflineQueue: true,
      // What waits when the connection is lost is told so: nobody else would ask again.
      maxRetriesPerRequest: 0,
      commandTimeout: ANSWER_WAIT_MS,
    });
    blocking.on('error', () => {});
    const state = { stopped: false };
    void this.#listen(blocking, listener, state);
    return {
      [Symbol.dispose]: () => {
        state.stopped = true;
        blocking.disconnect();
      },
    };
  }

  async #listen(blocking: Redis, listener: DueNotices, state: { readonly stopped: boolean }): Promise<void> {
    const key = redisKeys.dueNotices(this.#model);
    while (!state.stopped) {
      const notice = await blocking.brpop(key, NOTICE_WAIT_SECONDS).catch(() => undefined);
      if (state.stopped) return;
      if (notice === undefined) {
        // Redis is away, or has forgotten the connection: workers look by themselves meanwhile.
        if (blocking.status === 'ready') blocking.disconnect(true);
        await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS).unref());
      } else if (notice !== null) {
        const passes = Number(notice[1]) - 1;
        if ((await listener()) === 'pass on' && passes > 0) await this.announce(passes).catch(() => {});
      }
    }
  }
}
