import type { Redis } from 'ioredis';
import { TenantAccount } from '../accounts/tenant-account.ts';
import { microcreditsOf } from '../credits/credits.ts';
import { KeyStore } from '../keys/key-store.ts';
import { type TenancyChange, tenancyChanges } from './tenancy-changes.ts';
import { exportTenancy, parseTenancy, type TenancyDocument } from './tenancy-document.ts';
import { TenantStore } from './tenant-store.ts';

export interface ApplyOptions {
  /** Removes tenants and keys that the document does not name. */
  readonly prune?: boolean;
  /** Only says what would change. */
  readonly dryRun?: boolean;
}

/**
 * Makes Redis hold what the document says; the second time changes nothing. Only what differs is written, so a repeated
 * application disturbs nobody.
 * @returns what changed, or would
 * @throws MillraceError invalid_request naming every field that is wrong, before anything is changed
 */
export async function applyTenancy(redis: Redis, input: unknown, options: ApplyOptions = {}): Promise<TenancyChange[]> {
  const wanted = parseTenancy(input);
  const present = await exportTenancy(redis);
  const changes = tenancyChanges(present, wanted, options.prune === true);
  if (options.dryRun === true) return changes;
  for (const change of changes) await applyChange(redis, wanted, change);
  return changes;
}

async function applyChange(redis: Redis, wanted: TenancyDocument, change: TenancyChange): Promise<void> {
  const tenants = new TenantStore(redis);
  const keyStore = new KeyStore(redis);
  if (change.kind === 'prices') return tenants.putPrices(wanted.prices);
  if (change.action === 'remove') {
    if (change.kind === 'key') await keyStore.revoke(change.id);
    else await tenants.remove(change.id);
    return;
  }
  const tenant = wanted.tenants.find(({ id }) => id === change.tenantId);
  if (tenant === undefined) return;
  const { keys, credits, ...limits } = tenant;
  if (change.kind === 'tenant') {
    await tenants.put({ ...limits, credits: credits === 'unlimited' ? 'unlimited' : 'metered' });
    if (typeof credits === 'number') await new TenantAccount(redis, tenant.id).setGranted(microcreditsOf(credits));
    return;
  }
  const key = keys.find(({ keyId }) => keyId === change.id);
  if (key === undefined) return;
  // A new hash under the same id is a rotation: the old key must not stay.
  if (change.fields.some(({ field }) => field === 'hash')) await keyStore.revoke(key.keyId);
  await keyStore.put({ ...key, tenantId: tenant.id });
}
