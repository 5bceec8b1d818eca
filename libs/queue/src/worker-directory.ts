import type { Redis } from 'ioredis';
import { JOB_VERSION, WorkerHolding, WorkerRecord } from '#contracts';
import { redisCall } from './redis-call.ts';
import { redisKeys } from './redis-keys.ts';
import { type KnownModel, type ServedModel, servedModels } from './served-models.ts';
import { subscriberOf } from './subscriber-of.ts';

/** Entries of vanished workers in the index are dropped after this time; their records have expired long before. */
const INDEX_KEEP_MS = 3_600_000;
/** A model that no worker has served for this long is unknown again. */
const MODEL_KEEP_MS = 7 * 24 * 3_600_000;

/**
 * Which workers live and what they serve, from heartbeats in Redis that expire by themselves.
 * Every method throws MillraceError `unavailable` when Redis is away.
 */
export class WorkerDirectory {
  readonly #redis: Redis;
  /** What the last heartbeat of each worker said apart from its load; a difference is announced. */
  readonly #announced = new Map<string, string>();

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Worker's side: the heartbeat. A new worker, state or model is announced to `watch`ers at once. */
  async publish(record: WorkerRecord, ttlMs: number): Promise<void> {
    // Readers of the previous release refuse a record with a field that they do not know.
    const { jobVersion = JOB_VERSION, holding, ...said } = record;
    const abilities: WorkerAbilities = { startedAtMs: record.startedAtMs, jobVersion, holding };
    const announcement = announcementOf(record);
    const changed = this.#announced.get(record.workerId) !== announcement;
    await redisCall(this.#redis, `take the heartbeat of worker ${record.workerId}`, async () => {
      // Redis' own clock: a worker whose clock is ahead would take all others for long gone.
      const beatAtMs = Number((await this.#redis.time())[0]) * 1_000;
      const transaction = this.#redis
        .multi()
        .set(redisKeys.workerRecord(record.workerId), JSON.stringify(said), 'PX', ttlMs)
        .set(redisKeys.workerAbilities(record.workerId), JSON.stringify(abilities), 'PX', ttlMs)
        .zadd(redisKeys.workerBeats, beatAtMs, record.workerId)
        .zremrangebyscore(redisKeys.workerBeats, '-inf', beatAtMs - INDEX_KEEP_MS);
      for (const { model, cardHash } of record.models) {
        const known: KnownModel = { cardHash, seenAtMs: beatAtMs };
        transaction.hset(redisKeys.knownModels, model, JSON.stringify(known));
      }
      if (changed) transaction.publish(redisKeys.workersChanged, record.workerId);
      await transaction.exec();
    });
    this.#announced.set(record.workerId, announcement);
  }

  /** Worker's side: the worker is gone, and everybody shall know at once. */
  async withdraw(workerId: string): Promise<void> {
    this.#announced.delete(workerId);
    await redisCall(this.#redis, `withdraw worker ${workerId}`, () =>
      this.#redis
        .multi()
        .del(redisKeys.workerRecord(workerId), redisKeys.workerAbilities(workerId))
        .zrem(redisKeys.workerBeats, workerId)
        .publish(redisKeys.workersChanged, workerId)
        .exec(),
    );
  }

  /** The records of all workers that live now. */
  async workers(): Promise<WorkerRecord[]> {
    return redisCall(this.#redis, 'list the workers', async () => {
      const workerIds = await this.#redis.zrange(redisKeys.workerBeats, 0, -1);
      if (workerIds.length === 0) return [];
      const [records, abilities] = await Promise.all([
        this.#redis.mget(workerIds.map(redisKeys.workerRecord)),
        this.#redis.mget(workerIds.map(redisKeys.workerAbilities)),
      ]);
      return records.flatMap((text, index) => {
        // Records of another release that this one can not read are not this one's workers.
        const record = text === null ? null : WorkerRecord.safeParse(JSON.parse(text));
        return record?.success ? [withAbilities(record.data, abilities[index] ?? null)] : [];
      });
    });
  }

  /** What is served now, and with `workers: 0` what was served before, sorted by model. */
  async snapshot(): Promise<ServedModel[]> {
    const [workers, known] = await Promise.all([
      this.workers(),
      redisCall(this.#redis, 'list the models', () => this.#redis.hgetall(redisKeys.knownModels)),
    ]);
    const knownModels = new Map<string, KnownModel>();
    const oldestMs = Date.now() - MODEL_KEEP_MS;
    for (const [model, text] of Object.entries(known)) {
      const entry = JSON.parse(text) as KnownModel;
      if (entry.seenAtMs >= oldestMs) knownModels.set(model, entry);
    }
    return servedModels(workers, knownModels);
  }

  /** API's side: Unix time in s when a model was first asked about here, the same for every replica that asks. */
  async servedSince(model: string): Promise<number> {
    return redisCall(this.#redis, `read since when ${model} is served`, async () => {
      const [seconds] = await this.#redis.time();
      await this.#redis.hsetnx(redisKeys.servedSince, model, seconds);
      return Number(await this.#redis.hget(redisKeys.servedSince, model));
    });
  }

  /**
   * API's side: calls the listener when a worker came, changed its state or left, and after every reconnect, since
   * notices may have been missed. A worker that died without a word only shows in a later `snapshot`.
   */
  watch(listener: () => void): Disposable {
    // A subscribed connection can do nothing else, and waiting for Redis is its purpose.
    const subscriber = subscriberOf(this.#redis);
    subscriber.on('message', listener);
    subscriber.on('ready', listener);
    subscriber.subscribe(redisKeys.workersChanged).catch(() => {});
    return { [Symbol.dispose]: () => subscriber.disconnect() };
  }
}

interface WorkerAbilities {
  /** Whose they are: a worker of the previous release may have come back under the same id. */
  readonly startedAtMs: number;
  readonly jobVersion: number;
  /** Unchecked: it was said by a worker of some release. */
  readonly holding?: unknown;
}

function withAbilities(record: WorkerRecord, text: string | null): WorkerRecord {
  const abilities = text === null ? null : (JSON.parse(text) as WorkerAbilities);
  if (abilities?.startedAtMs !== record.startedAtMs) return record;
  const holding = WorkerHolding.safeParse(abilities.holding);
  return { ...record, jobVersion: abilities.jobVersion, ...(holding.success && { holding: holding.data }) };
}

function announcementOf(record: WorkerRecord): string {
  return JSON.stringify([record.state, record.models.map(({ model, cardHash, slots }) => [model, cardHash, slots])]);
}
