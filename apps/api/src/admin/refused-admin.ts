import type { RefusedRequests } from '#requests';
import type { TenantContext } from '../auth/tenant-context.ts';
import { RefusedQuery, type RefusedRow } from './admin-bodies.ts';
import { parseInput } from './parse-input.ts';
import { requireOperator } from './permissions.ts';

/** Requests that were refused because they may be what ends workers, at the admin API. */
export class RefusedAdmin {
  readonly #refused: Pick<RefusedRequests, 'list'>;

  constructor(refused: Pick<RefusedRequests, 'list'>) {
    this.#refused = refused;
  }

  /** The newest first. @throws MillraceError permission_denied, invalid_request, unavailable */
  async list(caller: TenantContext, query: unknown): Promise<{ refused: readonly RefusedRow[] }> {
    requireOperator(caller);
    return { refused: await this.#refused.list(parseInput(RefusedQuery, query).count) };
  }
}
