import type { Redis } from 'ioredis';
import { z } from 'zod';
import { MillraceError } from '#contracts';
import { TenantAccount } from '../accounts/tenant-account.ts';
import { creditsOf, microcreditsOf } from '../credits/credits.ts';
import { PriceList } from '../credits/price-list.ts';
import { KeyRecord } from '../keys/key-record.ts';
import { KeyStore } from '../keys/key-store.ts';
import { TenantRecord } from './tenant-record.ts';
import { TenantStore } from './tenant-store.ts';

const DocumentedTenant = TenantRecord.extend({
  /** `unlimited`, or all credits that were ever granted. */
  credits: z.union([z.literal('unlimited'), z.number().min(0).max(1_000_000_000)]).default('unlimited'),
  keys: z.array(KeyRecord.omit({ tenantId: true })).default([]),
});

/** All tenants, their keys (as hashes) and the prices as one document that can be kept in a repository. */
export const TenancyDocument = z.strictObject({
  version: z.literal(1),
  prices: PriceList.prefault({}),
  tenants: z.array(DocumentedTenant),
});
export type TenancyDocument = z.infer<typeof TenancyDocument>;

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

/**
 * Makes Redis hold what the document says; the second time changes nothing. Tenants and keys that it does not name stay,
 * unless `prune` is set.
 * @throws MillraceError invalid_request naming every field that is wrong, before anything is changed
 */
export async function applyTenancy(redis: Redis, input: unknown, options: { prune?: boolean } = {}): Promise<void> {
  const result = TenancyDocument.safeParse(input);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`);
    throw new MillraceError('invalid_request', `The tenants can not be imported: ${problems.join('; ')}.`);
  }
  const { tenants, prices } = result.data;
  const store = new TenantStore(redis);
  const keyStore = new KeyStore(redis);
  await store.putPrices(prices);
  for (const { keys, credits, ...tenant } of tenants) {
    await store.put({ ...tenant, credits: credits === 'unlimited' ? 'unlimited' : 'metered' });
    if (credits !== 'unlimited') await new TenantAccount(redis, tenant.id).setGranted(microcreditsOf(credits));
    for (const key of keys) await keyStore.put({ ...key, tenantId: tenant.id });
  }
  if (options.prune !== true) return;
  const namedKeys = new Set(tenants.flatMap((tenant) => tenant.keys.map((key) => key.keyId)));
  for (const key of await keyStore.records()) if (!namedKeys.has(key.keyId)) await keyStore.revoke(key.keyId);
  const namedTenants = new Set(tenants.map((tenant) => tenant.id));
  for (const tenant of await store.list()) if (!namedTenants.has(tenant.id)) await store.remove(tenant.id);
}
