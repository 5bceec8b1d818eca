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

  /** string: version of the keys (`migrateKeys`); outside of the versioned prefix, since it tells it */
  keyVersion: 'millrace:key-version',
  /** string with TTL: who brings the keys to another version now */
  keyMigration: 'millrace:key-migration',

  /** string: brotli of the model card's canonical JSON, under its SHA-256 */
  card: (hash: string) => `${PREFIX}:card:{${hash}}`,

  /** string with TTL: a worker's record as JSON */
  workerRecord: (workerId: string) => `${PREFIX}:{workers}:record:${escaped(workerId)}`,
  /** string with TTL: what a worker of version 2 or later says beside its record, which readers of version 1 take as it was only */
  workerAbilities: (workerId: string) => `${PREFIX}:{workers}:abilities:${escaped(workerId)}`,
  /** sorted set: worker id → Unix time in ms of its last heartbeat */
  workerBeats: `${PREFIX}:{workers}:beats`,
  /** hash: model → JSON { cardHash, seenAtMs } of every model served before */
  knownModels: `${PREFIX}:{workers}:models`,
  /** hash: model → Unix time in s when an API first saw it served */
  servedSince: `${PREFIX}:{workers}:served-since`,
  /** list with TTL: what a worker is asked to do, as JSON */
  workerCommands: (workerId: string) => `${PREFIX}:{workers}:commands:${escaped(workerId)}`,
  /** string with TTL: what a worker answered */
  workerAnswer: (commandId: string) => `${PREFIX}:{workers}:answer:${escaped(commandId)}`,
  /** channel: a worker has something in its list */
  workerNotice: (workerId: string) => `${PREFIX}:{workers}:notice:${escaped(workerId)}`,
  /** channel: a worker came, changed its state or left */
  workersChanged: `${PREFIX}:{workers}:changed`,

  /** hash: tenant id → TenantRecord as JSON */
  tenants: `${PREFIX}:{tenancy}:tenants`,
  /** set: ids of tenants that were removed; their accounts, usage and ledgers stay */
  formerTenants: `${PREFIX}:{tenancy}:former`,
  /** stream: what was changed through the admin API */
  audit: `${PREFIX}:{tenancy}:audit`,
  /** hash: SHA-256 of an API key → KeyRecord as JSON; the key itself is nowhere */
  apiKeys: `${PREFIX}:{tenancy}:keys`,
  /** hash: key id → Unix time in ms of its last use */
  apiKeyUses: `${PREFIX}:{tenancy}:key-uses`,
  /** string: PriceList as JSON */
  prices: `${PREFIX}:{tenancy}:prices`,
  /** sorted set: tenant id → Unix time in ms when it was last seen with requests; what the sweep visits */
  activeTenants: `${PREFIX}:{tenancy}:active`,
  /** string with TTL: the replica that delivers the ledgers to the webhook */
  ledgerDelivery: `${PREFIX}:{tenancy}:ledger-delivery`,
  /** channel: a tenant, key or price was changed */
  tenancyChanged: `${PREFIX}:{tenancy}:changed`,

  /** hash: granted, renewed, balance, held, spent, expired in microcredits, the allowance, and the mean time a request is held */
  account: (tenant: string) => `${PREFIX}:{${escaped(tenant)}}:account`,
  /** hash: requests and tokens of the last minute in buckets of 250 ms, with their totals */
  rateWindow: (tenant: string) => `${PREFIX}:{${escaped(tenant)}}:window`,
  /** sorted set: request id → Unix time in ms when its concurrency lease ends */
  leases: (tenant: string) => `${PREFIX}:{${escaped(tenant)}}:leases`,
  /** hash: what one request holds, and after its end how it ended; expires after that */
  reservation: (tenant: string, requestId: string) =>
    `${PREFIX}:{${escaped(tenant)}}:reservation:${escaped(requestId)}`,
  /** string with TTL: a grant of credits that was made */
  grant: (tenant: string, grantId: string) => `${PREFIX}:{${escaped(tenant)}}:grant:${escaped(grantId)}`,
  /** stream: every settlement and grant, and what allowances gave and ended */
  ledger: (tenant: string) => `${PREFIX}:{${escaped(tenant)}}:ledger`,
  /** hash with TTL: `<count>:<model>`, and `key:<key id>:<count>:<model>` → sum of one UTC day (YYYY-MM-DD) */
  usage: (tenant: string, day: string) => `${PREFIX}:{${escaped(tenant)}}:usage:${day}`,

  /** sorted set: request id → Unix time in ms when its lease of a place in the queue ends */
  waiting: (model: string) => `${PREFIX}:{${escaped(model)}}:waiting`,
  /** the same for one tenant's requests */
  waitingOf: (model: string, tenant: string) => `${PREFIX}:{${escaped(model)}}:waiting:${escaped(tenant)}`,
  /** hash: job id → virtual start tag of every waiting job */
  startTags: (model: string) => `${PREFIX}:{${escaped(model)}}:start-tags`,
  /** sorted set: tenant id → virtual finish tag of its last request */
  finishTags: (model: string) => `${PREFIX}:{${escaped(model)}}:finish-tags`,
  /** hash: virtual time and the tag that priority 1 stands for */
  fairClock: (model: string) => `${PREFIX}:{${escaped(model)}}:fair-clock`,
  /** hash: mean service time, and until when refused clients were told to wait */
  drain: (model: string) => `${PREFIX}:{${escaped(model)}}:drain`,
  /** sorted set: id of a refused request → Unix time in ms at which its client was told to come back */
  appointments: (model: string) => `${PREFIX}:{${escaped(model)}}:appointments`,
  /** the same for one tenant's requests */
  appointmentsOf: (model: string, tenant: string) => `${PREFIX}:{${escaped(model)}}:appointments:${escaped(tenant)}`,
  /** hash with TTL: what one request has come to, for `GET /v1/requests/{id}` */
  requestRecord: (tenant: string, requestId: string) => `${PREFIX}:{${escaped(tenant)}}:request:${escaped(requestId)}`,
  /** sorted set: request id → Unix time in ms when its record was made */
  requestIndex: (tenant: string) => `${PREFIX}:{${escaped(tenant)}}:requests`,
  /** string with TTL: the request that last carried this `x-request-id` */
  requestAlias: (tenant: string, alias: string) => `${PREFIX}:{${escaped(tenant)}}:request-alias:${escaped(alias)}`,

  /** hash with TTL: a request whose answer outlives its connection, and who works on it */
  keptAnswer: (tenant: string, requestId: string) => `${PREFIX}:{${escaped(tenant)}}:answer:${escaped(requestId)}`,
  /** stream with TTL: the frames of such an answer, several per entry */
  keptFrames: (tenant: string, requestId: string) => `${PREFIX}:{${escaped(tenant)}}:frames:${escaped(requestId)}`,
  /** sorted set: request id → Unix time in ms when its kept answer is forgotten */
  keptIndex: (tenant: string) => `${PREFIX}:{${escaped(tenant)}}:answers`,
  /** hash: request id → bytes kept of its answer; `total` for all of them */
  keptBytes: (tenant: string) => `${PREFIX}:{${escaped(tenant)}}:answer-bytes`,
  /** hash with TTL: the request that an `Idempotency-Key` stands for; its name holds the key's SHA-256 */
  idempotencyKey: (tenant: string, keyHash: string) => `${PREFIX}:{${escaped(tenant)}}:idempotency:${keyHash}`,
  /** channel: there is more of a kept answer */
  keptChanged: (tenant: string, requestId: string) =>
    `${PREFIX}:{${escaped(tenant)}}:answer-changed:${escaped(requestId)}`,

  /** stream with TTL: requests that may be what ends workers, for the operator */
  refusedRequests: `${PREFIX}:{replicas}:refused`,
  /** string with TTL: an API replica lives */
  replicaBeat: (replicaId: string) => `${PREFIX}:{replicas}:beat:${escaped(replicaId)}`,
  /** sorted set: id of every API replica that owns something → Unix time in ms of its last heartbeat */
  replicas: `${PREFIX}:{replicas}:all`,
  /** sorted set with TTL: `<replica id> <relay address>` → Unix time in ms when it is forgotten, unless its replica says it again */
  replicaRelays: `${PREFIX}:{replicas}:relays`,
  /** sorted set: `tenant id` and `request id` of the kept answers that a replica works on */
  replicaOwned: (replicaId: string) => `${PREFIX}:{replicas}:owned:${escaped(replicaId)}`,
  /** channel: where prompts are computed, by hashes of their blocks */
  computedPrompts: `${PREFIX}:{replicas}:computed-prompts`,
  /** list with TTL: requests that a replica is asked to cancel */
  replicaCancels: (replicaId: string) => `${PREFIX}:{replicas}:cancels:${escaped(replicaId)}`,
  /** channel: a replica has something in its list */
  replicaNotice: (replicaId: string) => `${PREFIX}:{replicas}:notice:${escaped(replicaId)}`,

  /** sorted set: tenant id → start tag of the first of its waiting requests; with `:<tenant>` behind it, the tenant's line */
  lines: (model: string) => `${PREFIX}:{${escaped(model)}}:lines`,
  /** hash: request id → class and tenant of every waiting request; beside it the workers that know its prompt, and how many have passed it */
  waiters: (model: string) => `${PREFIX}:{${escaped(model)}}:waiters`,
  /** sorted set: request id → Unix time in ms at which one ends to count that a worker holds without BullMQ */
  offered: (model: string) => `${PREFIX}:{${escaped(model)}}:offered`,
  /** list: notices that a request waits that may be due a seat; each is how often it may still be passed on */
  dueNotices: (model: string) => `${PREFIX}:{${escaped(model)}}:due`,
  /** BullMQ's own: what a job's key begins with */
  jobPrefix: (model: string) => `${PREFIX}:queue:{${escaped(model)}}:`,
  /** BullMQ's own: sorted set that wakes idle workers */
  jobMarker: (model: string) => `${PREFIX}:queue:{${escaped(model)}}:marker`,
  /** BullMQ's own: sorted set of jobs with a priority */
  prioritizedJobs: (model: string) => `${PREFIX}:queue:{${escaped(model)}}:prioritized`,
  /** BullMQ's own: list of jobs that go first (stalled ones) */
  waitJobs: (model: string) => `${PREFIX}:queue:{${escaped(model)}}:wait`,
  /** BullMQ's own: list of jobs that workers hold */
  activeJobs: (model: string) => `${PREFIX}:queue:{${escaped(model)}}:active`,
} as const;
