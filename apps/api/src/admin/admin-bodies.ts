import { z } from 'zod';
import { KeyRecord, KeyRole, Tenant } from '#admission';
import { HostedModelRecord, WorkerState } from '#contracts';

const amount = z.number();
const unixMs = z.int().min(0);

/** What a tenant is replaced with; its id is in the path. */
export const TenantBody = Tenant.omit({ id: true });

/** Some of a tenant's fields; what they may be is checked together with the others. */
export const TenantChange = z
  .partialRecord(z.enum(Object.keys(TenantBody.shape) as (keyof typeof TenantBody.shape)[]), z.unknown())
  .describe('Any fields of a TenantBody; the others stay as they are.');

/** Pages of a list: `after` is the id of the last one on the page before. */
export const ListQuery = z.strictObject({
  after: z.string().min(1).max(200).optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
});

const hasMore = z.boolean().describe('Whether others follow: ask again with the last id as `after`.');

export const TenantList = z.strictObject({
  tenants: z.array(Tenant),
  has_more: hasMore,
  unlisted: z
    .array(z.string())
    .describe('Ids with an account and a ledger and without a record: of removed tenants, and of MILLRACE_DEV_KEY.'),
});
export type TenantList = z.infer<typeof TenantList>;

export const TenantView = Tenant.extend({
  account: z
    .strictObject({
      granted: amount.describe('By hand.'),
      renewed: amount.describe('By allowances, of all periods.'),
      balance: amount,
      held: amount,
      spent: amount,
      expired: amount.describe('Of allowances, not used in their periods.'),
      allowance: z
        .strictObject({ left: amount, renewsAtMs: unixMs })
        .nullable()
        .describe('What is left of the present period’s; null for a tenant that has none.'),
    })
    .describe('In credits, as they are now: held + spent + expired = granted + renewed − balance.'),
});
export type TenantView = z.infer<typeof TenantView>;

export const GrantBody = z.strictObject({
  /** Repeating a grant under the same id grants nothing more. */
  grantId: z.string().min(1).max(200),
  credits: z.number().positive().max(1_000_000_000),
});

export const KeyBody = z.strictObject({
  role: KeyRole.default('tenant'),
  note: z.string().max(200).default(''),
  expiresAtMs: unixMs.nullable().default(null),
});

export const RotateBody = z.strictObject({
  /** How long the old key stays valid. */
  overlapMs: z
    .int()
    .min(0)
    .max(30 * 24 * 3_600_000)
    .default(0),
  /** Of the new key; null for none. When left out it lives as long as the old one was made for. */
  expiresAtMs: unixMs.nullable().optional(),
});

const KeyView = KeyRecord.omit({ hash: true }).extend({ lastUsedAtMs: unixMs.nullable() });

export const KeyList = z.strictObject({ keys: z.array(KeyView), has_more: hasMore });
export type KeyList = z.infer<typeof KeyList>;

export const NewKeyView = z.strictObject({
  /** Shown now and never again. */
  key: z.string(),
  record: KeyView,
});

export const UsageRow = z.strictObject({
  tenantId: z.string(),
  day: z.string(),
  model: z.string(),
  keyId: z.string().nullable().describe('Null unless asked for by key; MILLRACE_DEV_KEY for that one.'),
  keyNote: z.string().nullable().describe('What the key is for; null for all keys together, and for one that is gone.'),
  requests: z.int(),
  promptTokens: z.int(),
  cachedTokens: z.int(),
  completionTokens: z.int(),
  credits: amount,
});
export type UsageRow = z.infer<typeof UsageRow>;

const day = z.iso.date();
/** UTC days, both included; the last 30 days when nothing is given. */
export const UsageQuery = z.strictObject({
  from: day.optional(),
  to: day.optional(),
  /** `key`: by day, key and model; `model`: all keys of a tenant together. */
  by: z.enum(['model', 'key']).default('model'),
  format: z.enum(['json', 'jsonl', 'csv']).default('json'),
});

const flag = z.enum(['true', 'false']).default('false');

export const ImportQuery = z.strictObject({
  /** Removes tenants and keys that the document does not name. */
  prune: flag,
  /** Only says what would change. */
  dryRun: flag,
});

export const ImportView = z.strictObject({
  /** False for a dry run. */
  applied: z.boolean(),
  changes: z.array(
    z.strictObject({
      action: z.enum(['create', 'update', 'remove']),
      kind: z.enum(['tenant', 'key', 'prices']),
      id: z.string(),
      tenantId: z.string(),
      fields: z.array(z.strictObject({ field: z.string(), from: z.unknown(), to: z.unknown() })),
    }),
  ),
});

export const LedgerRow = z.strictObject({
  entryId: z.string(),
  tenantId: z.string(),
  kind: z.enum(['usage', 'grant', 'renewal', 'expiry']),
  requestId: z.string(),
  atMs: unixMs,
  outcome: z.string(),
  model: z.string(),
  keyId: z.string(),
  promptTokens: z.int(),
  cachedTokens: z.int(),
  completionTokens: z.int(),
  credits: amount,
});

const entryCount = z.coerce.number().int().min(1).max(1_000);

const entryId = z.string().regex(/^\d{1,15}-\d{1,15}$/, 'must be the id of an entry');

/** Pages through what is kept, the newest first: `before` is the last entry's id of the page before. */
export const AuditQuery = z.strictObject({ before: entryId.optional(), count: entryCount.default(100) });

export const AuditRow = z.strictObject({
  entryId: z.string(),
  atMs: unixMs,
  requestId: z.string(),
  tenantId: z.string().describe('Whose key was used.'),
  keyId: z.string(),
  action: z.string().describe('Method and route, as `PUT tenants/:id`.'),
  subject: z.array(z.string()).describe("The values of the route's parameters."),
  detail: z.unknown().describe('What was asked for, or what a document changed.'),
});

/** Pages through what is kept: `after` is the last entry's id of the page before. */
export const LedgerQuery = z.strictObject({
  after: entryId.optional(),
  count: entryCount.default(1_000),
  format: z.enum(['json', 'jsonl', 'csv']).default('json'),
});

/** A request that may be what ends workers. */
export const RefusedRow = z
  .strictObject({
    requestId: z.string(),
    tenantId: z.string(),
    model: z.string(),
    refusedAtMs: unixMs,
    lost: z.enum(['worker', 'replica']).describe('What was lost with it: workers, or API replicas.'),
    lostAttempts: z.int(),
    lostIds: z.array(z.string()).describe('Workers or replicas, as far as they are known, in order.'),
    promptTokens: z.int(),
    deliveredTokens: z.int(),
    fingerprint: z.string().describe('The same for the same request sent again.'),
    cause: z.string().describe('What the last one said.'),
  })
  .readonly();
export type RefusedRow = z.infer<typeof RefusedRow>;

export const RefusedQuery = z.strictObject({ count: entryCount.default(100) });

const memberName = z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, "_", "." and "-"');

/** Takes entries for one member of a group; they come again after a minute unless they are confirmed. */
export const LedgerReadBody = z.strictObject({ member: memberName, count: z.int().min(1).max(1_000).default(1_000) });
export const LedgerConfirmBody = z.strictObject({
  entryIds: z
    .array(z.string().regex(/^\d+-\d+$/))
    .min(1)
    .max(1_000),
});
export const LedgerGroup = memberName;

/** A worker and all that it has of models. */
export const WorkerView = z.strictObject({
  workerId: z.string(),
  state: WorkerState,
  startedAtMs: unixMs,
  memoryLimitBytes: z.int().nullable().describe('What its models may take together; null where none was set.'),
  rssBytes: z.int().nullable().describe('Memory of its process.'),
  models: z.array(
    z.strictObject({
      ...HostedModelRecord.shape,
      threads: z.int().nullable(),
      memoryBytes: z.int().nullable().describe('What it may take at most.'),
      problem: z.string().nullable().describe('Why it failed.'),
    }),
  ),
});
export type WorkerView = z.infer<typeof WorkerView>;

/** The queue of a model, and who takes from it. */
export const QueueView = z.strictObject({
  model: z.string(),
  waiting: z.int().describe('Requests that no worker has taken.'),
  active: z.int().describe('Requests that workers hold.'),
  liveWorkers: z.int(),
  liveSlots: z.int(),
  drainRate: z.number().describe('Requests per second that the slots end; 0 without slots.'),
  estimatedWaitMs: z.number().describe('How long a request would wait that came last now.'),
});
export type QueueView = z.infer<typeof QueueView>;

export const LoadBody = z.strictObject({
  model: z.string().min(1).describe('As in MILLRACE_MODEL of the worker: [name=]folder[?option=value&…].'),
});

/** The worker's own grace time when left out. */
export const UnloadQuery = z.strictObject({ graceMs: z.coerce.number().int().min(0).max(3_600_000).optional() });

/** The worker has begun with it. */
export const BegunView = z.strictObject({ workerId: z.string(), model: z.string() });
export type BegunView = z.infer<typeof BegunView>;
