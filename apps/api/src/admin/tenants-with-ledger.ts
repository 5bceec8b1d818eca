import type { TenantStore } from '#admission';
import { BOOTSTRAP_TENANT } from '../auth/bootstrap-tenant.ts';

/** Ids of all tenants whose usage somebody may want to see, the one of MILLRACE_DEV_KEY too, sorted. */
export async function tenantsWithLedger(tenants: Pick<TenantStore, 'everKnown'>): Promise<string[]> {
  return [...new Set([...(await tenants.everKnown()), BOOTSTRAP_TENANT.id])].sort();
}
