/**
 * Every key and channel that Millrace uses in Redis. The version in the prefix is raised when the meaning of a key
 * changes, so that two releases can share one Redis during an upgrade. The part in braces is the hash tag of Redis
 * Cluster: keys that one operation touches together carry the same one.
 */
const PREFIX = 'millrace:v1';

/** BullMQ puts `:` between its parts, and braces are the hash tag's own. */
const escaped = (name: string) => encodeURIComponent(name);

export const redisKeys = {
  /** BullMQ's prefix: a queue's keys are `<prefix>:<queue name>:<kind>`. */
  queuePrefix: `${PREFIX}:queue`,
  /** BullMQ's queue name for a model: a hash tag of its own, so models spread over a cluster's shards. */
  queueName: (model: string) => `{${escaped(model)}}`,
  /** BullMQ refuses `:` and plain integers in job ids. */
  jobId: (requestId: string, epoch: number) => `${escaped(requestId)}-${epoch}`,

  /** string: brotli of the model card's canonical JSON, under its SHA-256 */
  card: (hash: string) => `${PREFIX}:card:{${hash}}`,

  /** string with TTL: a worker's record as JSON */
  workerRecord: (workerId: string) => `${PREFIX}:{workers}:record:${escaped(workerId)}`,
  /** sorted set: worker id → Unix time in ms of its last heartbeat */
  workerBeats: `${PREFIX}:{workers}:beats`,
  /** hash: model → JSON { cardHash, seenAtMs } of every model served before */
  knownModels: `${PREFIX}:{workers}:models`,
  /** channel: a worker came, changed its state or left */
  workersChanged: `${PREFIX}:{workers}:changed`,
} as const;
