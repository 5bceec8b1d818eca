import { z } from 'zod';
import { Allowance } from '../credits/allowance.ts';

const limit = z.int().min(1).max(1_000_000_000).nullable().default(null);

/** Ids appear in Redis keys, logs and file names. */
export const TenantId = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    'must be 1 to 63 of a-z, 0-9, ".", "_" and "-", beginning with a letter or digit',
  );

/** What a tenant may do. Everything but the id has a default: no limit, equal weight, half of any queue. */
export const TenantRecord = z.strictObject({
  id: TenantId,
  name: z.string().max(200).default(''),
  /** Share of the cluster while several tenants wait, relative to theirs. */
  weight: z.number().min(0.01).max(1_000).default(1),
  /** Models it may use; null for all. */
  models: z.array(z.string().min(1)).nullable().default(null),
  requestsPerMinute: limit,
  /** Prompt and completion tokens together, counted as prompt + limit until the answer is over. */
  tokensPerMinute: limit,
  /** Requests that may be queued or running together. */
  concurrency: limit,
  /** Part of a model's queue that it may fill. */
  queueShare: z.number().min(0.001).max(1).default(0.5),
  /** `metered`: only what was granted may be spent. */
  credits: z.enum(['unlimited', 'metered']).default('unlimited'),
  parameters: z
    .strictObject({
      /** Completion tokens where a request names no limit. */
      defaultMaxTokens: limit,
      /** Most completion tokens of one choice. */
      maximumMaxTokens: limit,
      maximumChoices: limit,
    })
    .prefault({}),
});
export type TenantRecord = z.infer<typeof TenantRecord>;

/**
 * A tenant with its allowance. That is in its account, where the scripts that spend it see each change at once, and not in the
 * record, which replicas believe for a while and which those of a release without allowances could not read.
 */
export const Tenant = TenantRecord.extend({
  allowance: Allowance.nullable()
    .default(null)
    .describe(
      'Credits anew with each period, spent before those that were granted; what is not used expires. Null for none.',
    ),
});
export type Tenant = z.infer<typeof Tenant>;

/** A tenant as it is written: only the id is needed. */
export type TenantInput = z.input<typeof Tenant>;

/** Why these credits do not go with this allowance; null when they do. */
export function allowanceProblem(credits: unknown, allowance: Allowance | null): string | null {
  if (allowance === null || credits !== 'unlimited') return null;
  return 'is for tenants whose credits are metered; set credits to "metered", or allowance to null';
}

export function mayUse(tenant: TenantRecord, model: string): boolean {
  return tenant.models === null || tenant.models.includes(model);
}
