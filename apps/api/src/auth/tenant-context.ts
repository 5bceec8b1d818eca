import type { KeyRole } from '#admission';

/** Whose request it is, for everything after authentication. */
export interface TenantContext {
  readonly tenantId: string;
  /** Which of the tenant's keys was shown; never the key itself. */
  readonly keyId: string;
  /** What the key may do at the admin API. */
  readonly role: KeyRole;
}
