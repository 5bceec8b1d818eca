import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';
import type { Notices } from './notices.ts';

/** A list that nobody empties is a dead replica's. */
const KEPT_MS = 60_000;
/** Looked into at least this often, should a notice be lost. */
const LOOK_MS = 2_000;
const BATCH = 100;

interface CancelRequest {
  readonly tenantId: string;
  readonly requestId: string;
}

/** Cancels that come to this replica from others: a list in Redis and a notice to look into it. */
export class CancelInbox implements Disposable {
  readonly #redis: Redis;
  readonly #key: string;
  readonly #onCancel: (request: CancelRequest) => void;
  readonly #listening: Disposable;
  readonly #timer: NodeJS.Timeout;

  constructor(redis: Redis, replicaId: string, notices: Notices, onCancel: (request: CancelRequest) => void) {
    this.#redis = redis;
    this.#key = redisKeys.replicaCancels(replicaId);
    this.#onCancel = onCancel;
    this.#listening = notices.listen(redisKeys.replicaNotice(replicaId), () => void this.#look());
    this.#timer = setInterval(() => void this.#look(), LOOK_MS).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#listening[Symbol.dispose]();
  }

  /** Never rejects: what can not be read now is read at the next look. */
  async #look(): Promise<void> {
    for (;;) {
      const texts = await this.#redis.lpop(this.#key, BATCH).catch(() => null);
      if (texts === null) return;
      for (const text of texts) {
        const [tenantId = '', requestId = ''] = JSON.parse(text) as string[];
        this.#onCancel({ tenantId, requestId });
      }
    }
  }
}

/** Asks a replica to cancel a request. @throws MillraceError unavailable */
export async function askToCancel(redis: Redis, replicaId: string, request: CancelRequest): Promise<void> {
  const key = redisKeys.replicaCancels(replicaId);
  await redisCall(redis, `ask for the end of request ${request.requestId}`, () =>
    redis
      .multi()
      .rpush(key, JSON.stringify([request.tenantId, request.requestId]))
      .pexpire(key, KEPT_MS)
      .publish(redisKeys.replicaNotice(replicaId), 'cancel')
      .exec(),
  );
}
