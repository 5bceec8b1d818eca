import { z } from 'zod';
import { KeyRecord, KeyRole, TenantRecord } from '#admission';

const amount = z.number();
const unixMs = z.int().min(0);

/** What a tenant is replaced with; its id is in the path. */
export const TenantBody = TenantRecord.omit({ id: true });

export const TenantView = TenantRecord.extend({
  /** In credits: held + spent = granted − balance. */
  account: z.strictObject({ granted: amount, balance: amount, held: amount, spent: amount }),
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
});

export const KeyView = KeyRecord.omit({ hash: true }).extend({ lastUsedAtMs: unixMs.nullable() });

export const NewKeyView = z.strictObject({
  /** Shown now and never again. */
  key: z.string(),
  record: KeyView,
});

export const UsageRow = z.strictObject({
  day: z.string(),
  model: z.string(),
  requests: z.int(),
  promptTokens: z.int(),
  cachedTokens: z.int(),
  completionTokens: z.int(),
  credits: amount,
});

const day = z.iso.date();
/** UTC days, both included; the last 30 days when nothing is given. */
export const UsageQuery = z.strictObject({ from: day.optional(), to: day.optional() });

export const ImportQuery = z.strictObject({
  /** Removes tenants and keys that the document does not name. */
  prune: z.enum(['true', 'false']).default('false'),
});
