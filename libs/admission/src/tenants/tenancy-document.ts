import type { Redis } from 'ioredis';
import { z } from 'zod';
import { MillraceError } from '#contracts';
import { TenantAccount } from '../accounts/tenant-account.ts';
import { creditsOf } from '../credits/credits.ts';
import { PriceList } from '../credits/price-list.ts';
import { KeyRecord, KeyRole } from '../keys/key-record.ts';
import { KeyStore } from '../keys/key-store.ts';
import { allowanceProblem, Tenant } from './tenant-record.ts';
import { TenantStore } from './tenant-store.ts';

/** A key as a person writes it: an id and the SHA-256 of the key; `millrace keys new` makes both. */
const DocumentedKey = KeyRecord.omit({ tenantId: true }).extend({
  role: KeyRole.default('tenant'),
  prefix: KeyRecord.shape.prefix.default(''),
  note: KeyRecord.shape.note.default(''),
  createdAtMs: KeyRecord.shape.createdAtMs.default(0),
  expiresAtMs: KeyRecord.shape.expiresAtMs.default(null),
});

const DocumentedTenant = Tenant.extend({
  /**
   * `unlimited`; a number for all credits that were ever granted, without those of an allowance; or `metered`, which leaves
   * the account as it is, for a tenant that is granted credits elsewhere.
   */
  credits: z
    .union([z.literal('unlimited'), z.literal('metered'), z.number().min(0).max(1_000_000_000)])
    .default('unlimited'),
  keys: z.array(DocumentedKey).default([]),
});
export type DocumentedTenant = z.infer<typeof DocumentedTenant>;

/** All tenants, their keys (as hashes) and the prices as one document that can be kept in a repository. */
export const TenancyDocument = z
  .strictObject({
    version: z.literal(1),
    prices: PriceList.prefault({}),
    tenants: z.array(DocumentedTenant),
  })
  .superRefine(({ tenants }, context) => {
    const seen = new Set<string>();
    const once = (name: string, path: (string | number)[]) => {
      if (seen.has(name)) context.addIssue({ code: 'custom', path, message: `${name} is there twice` });
      seen.add(name);
    };
    for (const [index, { id, keys, credits, allowance }] of tenants.entries()) {
      once(`the tenant "${id}"`, ['tenants', index, 'id']);
      const message = allowanceProblem(credits, allowance);
      if (message !== null) context.addIssue({ code: 'custom', path: ['tenants', index, 'allowance'], message });
      for (const [place, { keyId, hash }] of keys.entries()) {
        once(`the key "${keyId}"`, ['tenants', index, 'keys', place, 'keyId']);
        once(`the hash ${hash.slice(0, 8)}…`, ['tenants', index, 'keys', place, 'hash']);
      }
    }
  });
export type TenancyDocument = z.infer<typeof TenancyDocument>;

/** @throws MillraceError invalid_request naming every field that is wrong */
export function parseTenancy(input: unknown): TenancyDocument {
  const result = TenancyDocument.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`);
  throw new MillraceError('invalid_request', `The tenants can not be imported: ${problems.join('; ')}.`);
}

export async function exportTenancy(redis: Redis): Promise<TenancyDocument> {
  const store = new TenantStore(redis);
  const [tenants, prices, keys] = await Promise.all([store.list(), store.prices(), new KeyStore(redis).records()]);
  return {
    version: 1,
    prices,
    tenants: await Promise.all(
      tenants.map(async (tenant) => ({
        ...tenant,
        credits:
          tenant.credits === 'unlimited'
            ? ('unlimited' as const)
            : creditsOf((await new TenantAccount(redis, tenant.id).sums()).granted),
        keys: keys.filter((key) => key.tenantId === tenant.id).map(({ tenantId: _, ...key }) => key),
      })),
    ),
  };
}
