import type { AuditEntry, AuditLog } from '#admission';
import type { TenantContext } from '../auth/tenant-context.ts';
import { AuditQuery } from './admin-bodies.ts';
import { parseInput } from './parse-input.ts';
import { requireOperator } from './permissions.ts';

/** What was changed through the admin API, and by whom. */
export class AuditAdmin {
  readonly #audit: Pick<AuditLog, 'page'>;

  constructor(audit: Pick<AuditLog, 'page'>) {
    this.#audit = audit;
  }

  /** The newest first. @throws MillraceError permission_denied, invalid_request, unavailable */
  async page(caller: TenantContext, query: unknown): Promise<{ entries: AuditEntry[] }> {
    requireOperator(caller);
    const { before, count } = parseInput(AuditQuery, query);
    return { entries: await this.#audit.page(before ?? null, count) };
  }
}
