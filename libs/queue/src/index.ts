/**
 * The work queue in Redis (BullMQ, one queue per model), the model cards and the directory of workers.
 *
 * @module
 * @example
 * import { connectRedis, ModelQueue } from '#queue';
 * const redis = connectRedis('redis://127.0.0.1:6379', 'producer');
 * const queue = new ModelQueue({ model: 'smollm2-135m-instruct', redis });
 * await queue.add(job); // MillraceError `unavailable` when Redis is away
 * await queue.remove(job.requestId, job.epoch); // true when no worker had taken it
 */
export { afterThisTurn } from './after-this-turn.ts';
export { CardCorruptError } from './card-corrupt-error.ts';
export { CardStore } from './card-store.ts';
export { type ConnectRedisOptions, connectRedis, type RedisRole } from './connect-redis.ts';
export { decodeJob } from './decode-job.ts';
export { encodeJob } from './encode-job.ts';
export type { ExpressSource } from './express-lane.ts';
export { JobConsumer, type JobConsumerOptions } from './job-consumer.ts';
export { JobRefusedError } from './job-refused-error.ts';
export { KeyVersionError } from './key-version/key-version-error.ts';
export { migrateKeys } from './key-version/migrate-keys.ts';
export { type JobState, ModelQueue, type ModelQueueOptions, type QueueDepth } from './model-queue.ts';
export { redisCall } from './redis-call.ts';
export { type RedisFitness, redisFitness } from './redis-fitness.ts';
export { RedisHealth, type RedisMemory } from './redis-health.ts';
export { redisKeys } from './redis-keys.ts';
export { RedisScript } from './redis-script.ts';
export type { ServedModel } from './served-models.ts';
export { subscriberOf } from './subscriber-of.ts';
export { askWorker, WorkerCommands, type WorkerCommandsParts } from './worker-commands.ts';
export { WorkerDirectory } from './worker-directory.ts';
