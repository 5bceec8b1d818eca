import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';
import { LuaScript } from '../lua/lua-script.ts';
import { HIGHEST_PRIORITY, UNIT_TOKENS } from './fair-tags.ts';

const noteComputed = new LuaScript('note-computed', 1);
const bringForward = new LuaScript('bring-forward', 7);

/** Of the tenant whose turn it is, so many of its requests are looked at. */
const CHOSEN_FROM = 16;
/** A request waits for so many at most that came after it. */
const MOST_PASSED = 8;

/**
 * Has waiting requests go to workers that have computed the beginning of their prompts, among a tenant's own: in which order tenants
 * are served, and how much each of them is, stays as it is.
 */
export class PromptAffinity {
  readonly #redis: Redis;
  readonly #model: string;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis, model: string) {
    this.#redis = redis;
    this.#model = model;
  }

  /** @throws MillraceError `unavailable` when Redis is away */
  async note(requestId: string, workerIds: readonly string[]): Promise<void> {
    const args = [requestId, ...workerIds.map(encodeURIComponent)];
    await redisCall(this.#redis, `note who has computed the prompt of request ${requestId}`, () =>
      noteComputed.run(this.#redis, [redisKeys.waiters(this.#model)], args),
    );
  }

  /**
   * Brings a request forward that goes on from what this worker has computed, if there is one near enough to its turn.
   * @param connection over which the worker asks for its next job right after, so that the answer is of this order
   * @returns the id of its job; null when nothing was changed
   */
  async bringForward(workerId: string, connection: Redis): Promise<string | null> {
    const keys = [
      redisKeys.lines(this.#model),
      redisKeys.waiters(this.#model),
      redisKeys.prioritizedJobs(this.#model),
      redisKeys.waitJobs(this.#model),
      redisKeys.startTags(this.#model),
      redisKeys.finishTags(this.#model),
      redisKeys.fairClock(this.#model),
    ];
    const args = [encodeURIComponent(workerId), CHOSEN_FROM, MOST_PASSED, UNIT_TOKENS, HIGHEST_PRIORITY];
    return (await bringForward.run(connection, keys, args)) as string | null;
  }
}
