import type { Redis } from 'ioredis';
import { RedisScript, redisCall, redisKeys } from '#queue';
import type { KeptAnswer, KeptAnswerLimits, KeptEnding, KeptError, KeptFrames, KeptState } from './kept-answer.ts';
import { LUA_FOLDER } from './lua-folder.ts';

const keepAnswer = new RedisScript(LUA_FOLDER, 'keep-answer', 4);
const appendFrames = new RedisScript(LUA_FOLDER, 'append-frames', 4);
const adoptAnswer = new RedisScript(LUA_FOLDER, 'adopt-answer', 1);
const watchAnswer = new RedisScript(LUA_FOLDER, 'watch-answer', 1);

/** Entries per read; each holds what came within a few milliseconds. */
const FRAMES_PER_READ = 256;
/** What a replica owns is forgotten when nobody has looked after it for so long. */
const OWNED_KEPT_MS = 24 * 3_600_000;

export interface AnswerId {
  readonly tenantId: string;
  readonly requestId: string;
}

/** What whoever takes an answer over goes on with. */
export interface Adopted {
  /** Of the next attempt. */
  readonly epoch: number;
  /** Replicas that died while they worked on it. */
  readonly losses: number;
}

/**
 * Answers that outlive their connection: what one replica has delivered, for another to replay and to go on with. Bounded
 * in bytes per answer and per tenant, and in time. Every method throws MillraceError `unavailable` when Redis is away.
 */
export class KeptAnswers {
  readonly #redis: Redis;
  readonly #limits: KeptAnswerLimits;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis, limits: KeptAnswerLimits) {
    this.#redis = redis;
    this.#limits = limits;
  }

  /**
   * @param keyHash of the idempotency key that stands for it from now on; null for none
   * @returns false when the key is another request's by now: this one is not to be run
   */
  async keep(id: AnswerId, owner: string, epoch: number, request: Buffer, keyHash: string | null): Promise<boolean> {
    const { tenantId, requestId } = id;
    const { keptMs, mostBytesPerTenant } = this.#limits;
    const keys = [
      redisKeys.keptAnswer(tenantId, requestId),
      redisKeys.keptIndex(tenantId),
      redisKeys.keptBytes(tenantId),
      redisKeys.idempotencyKey(tenantId, keyHash ?? 'none'),
    ];
    const args = [requestId, owner, epoch, request, keptMs, mostBytesPerTenant, ...prefixesOf(tenantId)];
    if ((await this.#run(keepAnswer, keys, [...args, keyHash === null ? 0 : 1])) !== 1) return false;
    await this.#own(id, owner);
    return true;
  }

  /**
   * Adds what was delivered since. Repeating it adds it twice: whoever writes numbers what it adds.
   * @returns `lost` when the answer is not the owner's (any more), `dropped` when it has become too large
   */
  async append(
    { tenantId, requestId }: AnswerId,
    owner: string,
    epoch: number,
    payload: Buffer | null,
    ending: KeptEnding | null,
  ): Promise<'kept' | 'dropped' | 'lost'> {
    const { keptMs, mostBytes, mostBytesPerTenant } = this.#limits;
    const keys = [
      redisKeys.keptAnswer(tenantId, requestId),
      redisKeys.keptFrames(tenantId, requestId),
      redisKeys.keptIndex(tenantId),
      redisKeys.keptBytes(tenantId),
    ];
    const verdict = await this.#run(appendFrames, keys, [
      requestId,
      owner,
      epoch,
      payload ?? '',
      keptMs,
      mostBytes,
      mostBytesPerTenant,
      ...prefixesOf(tenantId),
      redisKeys.keptChanged(tenantId, requestId),
      ending?.state ?? '',
      ending?.error == null ? '' : JSON.stringify(ending.error),
    ]);
    if (ending !== null || verdict !== 'kept') await this.#disown({ tenantId, requestId }, owner);
    if (ending?.state === 'released' && verdict === 'kept') await this.#own({ tenantId, requestId }, '');
    return verdict as 'kept' | 'dropped' | 'lost';
  }

  /** Null when it was never kept, or is not any more. */
  async read({ tenantId, requestId }: AnswerId): Promise<KeptAnswer | null> {
    const key = redisKeys.keptAnswer(tenantId, requestId);
    const hash = await redisCall(this.#redis, `read the answer of ${requestId}`, () => this.#redis.hgetallBuffer(key));
    const { state, owner, epoch, request, error } = hash;
    if (state === undefined) return null;
    const errorText = error?.toString() ?? '';
    return {
      state: state.toString() as KeptState,
      owner: owner?.toString() ?? '',
      epoch: Number(epoch?.toString() ?? 0),
      request: request ?? Buffer.alloc(0),
      error: errorText === '' ? null : (JSON.parse(errorText) as KeptError),
    };
  }

  /** What was added behind `after` (`-` for all of it), up to a bound: read again until nothing comes. */
  async frames({ tenantId, requestId }: AnswerId, after: string): Promise<KeptFrames[]> {
    const key = redisKeys.keptFrames(tenantId, requestId);
    const from = after === '-' ? '-' : `(${after}`;
    const entries = (await redisCall(this.#redis, `read the frames of ${requestId}`, () =>
      this.#redis.xrangeBuffer(key, from, '+', 'COUNT', FRAMES_PER_READ),
    )) as [Buffer, Buffer[]][];
    return entries.map(([entryId, fields]) => ({
      entryId: entryId.toString(),
      payload: fields[1] ?? Buffer.alloc(0),
    }));
  }

  /** Takes an open answer over. @returns null when another has it, or it is over */
  async adopt(id: AnswerId, from: string, owner: string): Promise<Adopted | null> {
    const keys = [redisKeys.keptAnswer(id.tenantId, id.requestId)];
    const [epoch = 0, losses = 0] = (await this.#run(adoptAnswer, keys, [from, owner])) as number[];
    if (epoch > 0) await this.#own(id, owner);
    await this.#disown(id, from);
    return epoch > 0 ? { epoch, losses } : null;
  }

  /** Somebody follows it: it goes on for at least `forMs` more. */
  async watch({ tenantId, requestId }: AnswerId, forMs: number): Promise<void> {
    await this.#run(watchAnswer, [redisKeys.keptAnswer(tenantId, requestId)], [forMs]);
  }

  /** For how long somebody said that it is followed, by Redis' clock; 0 when nobody does. */
  async watchedMs({ tenantId, requestId }: AnswerId): Promise<number> {
    const key = redisKeys.keptAnswer(tenantId, requestId);
    return redisCall(this.#redis, `see who follows ${requestId}`, async () => {
      const until = await this.#redis.hget(key, 'watchedUntilMs');
      if (until === null) return 0;
      const [seconds, microseconds] = await this.#redis.time();
      return Math.max(0, Number(until) - Number(seconds) * 1_000 - Number(microseconds) / 1_000);
    });
  }

  /** The open answers of a replica; of '' those that were given away. */
  async owned(replicaId: string): Promise<AnswerId[]> {
    const members = await redisCall(this.#redis, 'list the answers of a replica', () =>
      this.#redis.zrange(redisKeys.replicaOwned(replicaId), 0, -1),
    );
    return members.map((member) => {
      const [tenantId = '', requestId = ''] = JSON.parse(member) as string[];
      return { tenantId, requestId };
    });
  }

  async #own({ tenantId, requestId }: AnswerId, owner: string): Promise<void> {
    const key = redisKeys.replicaOwned(owner);
    await redisCall(this.#redis, `note who works on ${requestId}`, () =>
      this.#redis
        .multi()
        .zadd(key, Date.now(), JSON.stringify([tenantId, requestId]))
        .pexpire(key, OWNED_KEPT_MS)
        .exec(),
    );
  }

  async #disown({ tenantId, requestId }: AnswerId, owner: string): Promise<void> {
    await redisCall(this.#redis, `note who works on ${requestId}`, () =>
      this.#redis.zrem(redisKeys.replicaOwned(owner), JSON.stringify([tenantId, requestId])),
    );
  }

  #run(script: RedisScript, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return redisCall(this.#redis, `${script.name} for a kept answer`, () => script.run(this.#redis, keys, args));
  }
}

function prefixesOf(tenantId: string): [string, string] {
  return [redisKeys.keptAnswer(tenantId, ''), redisKeys.keptFrames(tenantId, '')];
}
