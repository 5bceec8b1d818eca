import { MillraceError } from '#contracts';
import type { TenantContext } from '../auth/tenant-context.ts';

/** @throws MillraceError permission_denied unless the key is an operator's */
export function requireOperator(caller: TenantContext): void {
  if (caller.role === 'operator') return;
  throw new MillraceError('permission_denied', `This needs an operator's key; yours has the role "${caller.role}".`);
}

/** @throws MillraceError permission_denied unless the key is an operator's, or an admin's of this tenant */
export function requireAdminOf(caller: TenantContext, tenantId: string): void {
  if (caller.role === 'operator' || (caller.role === 'admin' && caller.tenantId === tenantId)) return;
  throw new MillraceError(
    'permission_denied',
    `This needs an operator's key, or an admin's of the tenant "${tenantId}"; yours has the role "${caller.role}".`,
  );
}
