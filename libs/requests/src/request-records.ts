import type { Redis } from 'ioredis';
import { RedisScript, redisCall, redisKeys } from '#queue';
import { LUA_FOLDER } from './lua-folder.ts';
import { type RequestRecord, recordFieldsOf, requestRecordOf } from './request-record.ts';

const noteRequest = new RedisScript(LUA_FOLDER, 'note-request', 2);

/** About 400 bytes each, so at most 2 MB per tenant. */
const RECORDS_PER_TENANT = 5_000;
const RECORD_KEPT_MS = 3_600_000;

/** What requests have come to, for every replica. Every method throws MillraceError `unavailable` when Redis is away. */
export class RequestRecords {
  readonly #redis: Redis;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** @param alias the client's own `x-request-id`, under which it is found as well; null for none */
  async create(tenantId: string, record: RequestRecord, alias: string | null): Promise<void> {
    await this.#note(tenantId, record, true);
    if (alias === null) return;
    const key = redisKeys.requestAlias(tenantId, alias);
    await redisCall(this.#redis, 'note the x-request-id of a request', () =>
      this.#redis.set(key, record.requestId, 'PX', RECORD_KEPT_MS),
    );
  }

  /** Changes a record that is there and whose request has not ended. @returns whether it was so */
  async update(tenantId: string, requestId: string, part: Partial<RequestRecord>): Promise<boolean> {
    return (await this.#note(tenantId, { ...part, requestId }, false)) === 'noted';
  }

  /** Forgets a request that was never let in. */
  async remove(tenantId: string, requestId: string): Promise<void> {
    await redisCall(this.#redis, `forget request ${requestId}`, () =>
      this.#redis
        .multi()
        .del(redisKeys.requestRecord(tenantId, requestId))
        .zrem(redisKeys.requestIndex(tenantId), requestId)
        .exec(),
    );
  }

  async get(tenantId: string, requestId: string): Promise<RequestRecord | null> {
    const key = redisKeys.requestRecord(tenantId, requestId);
    return requestRecordOf(await redisCall(this.#redis, `read request ${requestId}`, () => this.#redis.hgetall(key)));
  }

  /** The request that last carried this `x-request-id`; null for none. */
  async byAlias(tenantId: string, alias: string): Promise<string | null> {
    const key = redisKeys.requestAlias(tenantId, alias);
    return redisCall(this.#redis, 'look for an x-request-id', () => this.#redis.get(key));
  }

  #note(tenantId: string, part: Partial<RequestRecord> & { requestId: string }, make: boolean): Promise<unknown> {
    const { requestId } = part;
    const keys = [redisKeys.requestRecord(tenantId, requestId), redisKeys.requestIndex(tenantId)];
    const args = [requestId, make ? 1 : 0, RECORD_KEPT_MS, RECORDS_PER_TENANT, redisKeys.requestRecord(tenantId, '')];
    return redisCall(this.#redis, `note request ${requestId}`, () =>
      noteRequest.run(this.#redis, keys, [...args, ...recordFieldsOf(part)]),
    );
  }
}
