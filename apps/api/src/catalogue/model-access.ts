import type { TenantContext } from '../auth/tenant-context.ts';

/** Which models a tenant may use. */
export interface ModelAccess {
  /** @throws MillraceError unavailable when the tenant's record can not be read */
  mayUse(tenant: TenantContext): Promise<(model: string) => boolean>;
}

/** Nest's name for the one that a replica has. */
export const MODEL_ACCESS = Symbol('ModelAccess');
