import {
  type AccountState,
  applyTenancy,
  type CreatedKey,
  creditsOf,
  exportTenancy,
  KeyStore,
  microcreditsOf,
  PriceList,
  type TenancyChange,
  type TenancyDocument,
  TenantAccount,
  TenantStore,
} from '#admission';
import { MillraceError } from '#contracts';
import type { TenantContext } from '../auth/tenant-context.ts';
import {
  GrantBody,
  ImportQuery,
  KeyBody,
  type KeyList,
  ListQuery,
  RotateBody,
  TenantBody,
  TenantChange,
  type TenantList,
  type TenantView,
} from './admin-bodies.ts';
import { parseInput } from './parse-input.ts';
import { requireAdminOf, requireOperator } from './permissions.ts';
import { tenantsWithLedger } from './tenants-with-ledger.ts';

type Redis = ConstructorParameters<typeof TenantStore>[0];

/** What the admin API does, each method with the permission it needs. Inputs are unchecked bodies and queries. */
export class TenancyAdmin {
  readonly #redis: Redis;
  readonly #tenants: TenantStore;
  readonly #keys: KeyStore;

  constructor(redis: Redis) {
    this.#redis = redis;
    this.#tenants = new TenantStore(redis);
    this.#keys = new KeyStore(redis);
  }

  async tenants(caller: TenantContext, query: unknown): Promise<TenantList> {
    requireOperator(caller);
    const { after, limit } = parseInput(ListQuery, query);
    const { tenants, hasMore } = await this.#tenants.page(after ?? null, limit);
    const stored = new Set(await this.#tenants.ids());
    const unlisted = (await tenantsWithLedger(this.#tenants)).filter((id) => !stored.has(id));
    return { tenants, has_more: hasMore, unlisted };
  }

  async tenant(caller: TenantContext, tenantId: string): Promise<TenantView> {
    requireAdminOf(caller, tenantId);
    const record = await this.#tenants.get(tenantId);
    if (record === null) throw noTenant(tenantId);
    return { ...record, account: inCredits(await new TenantAccount(this.#redis, tenantId).read()) };
  }

  async putTenant(caller: TenantContext, tenantId: string, body: unknown): Promise<TenantView> {
    requireOperator(caller);
    await this.#tenants.put({ ...parseInput(TenantBody, body), id: tenantId });
    return this.tenant(caller, tenantId);
  }

  /** Changes what the body names; `putTenant` sets what it leaves out to its default. */
  async changeTenant(caller: TenantContext, tenantId: string, body: unknown): Promise<TenantView> {
    requireOperator(caller);
    await this.#tenants.change(tenantId, parseInput(TenantChange, body));
    return this.tenant(caller, tenantId);
  }

  async removeTenant(caller: TenantContext, tenantId: string): Promise<{ removed: true }> {
    requireOperator(caller);
    if (!(await this.#tenants.remove(tenantId))) throw noTenant(tenantId);
    await this.#keys.revokeAllOf(tenantId);
    return { removed: true };
  }

  async grant(caller: TenantContext, tenantId: string, body: unknown): Promise<TenantView> {
    requireOperator(caller);
    const { grantId, credits } = parseInput(GrantBody, body);
    await this.tenant(caller, tenantId);
    await new TenantAccount(this.#redis, tenantId).grant(grantId, microcreditsOf(credits));
    return this.tenant(caller, tenantId);
  }

  async keys(caller: TenantContext, tenantId: string, query: unknown): Promise<KeyList> {
    requireAdminOf(caller, tenantId);
    const { after, limit } = parseInput(ListQuery, query);
    const keys = await this.#keys.list(tenantId);
    const place = after === undefined ? -1 : keys.findIndex(({ keyId }) => keyId === after);
    if (after !== undefined && place < 0) {
      const message = `after: tenant "${tenantId}" has no key with the id "${after}" any more. Begin again without it.`;
      throw new MillraceError('invalid_request', message, { param: 'after' });
    }
    const end = place + 1 + limit;
    return { keys: keys.slice(place + 1, end), has_more: keys.length > end };
  }

  async createKey(caller: TenantContext, tenantId: string, body: unknown): Promise<CreatedKey> {
    requireAdminOf(caller, tenantId);
    const wanted = parseInput(KeyBody, body);
    if (wanted.role === 'operator') requireOperator(caller);
    return this.#keys.create({ tenantId, ...wanted });
  }

  async revokeKey(caller: TenantContext, keyId: string): Promise<{ revoked: true }> {
    await this.#ownKey(caller, keyId);
    await this.#keys.revoke(keyId);
    return { revoked: true };
  }

  async rotateKey(caller: TenantContext, keyId: string, body: unknown): Promise<CreatedKey> {
    const { overlapMs, expiresAtMs } = parseInput(RotateBody, body);
    await this.#ownKey(caller, keyId);
    return this.#keys.rotate(keyId, overlapMs, expiresAtMs);
  }

  async prices(caller: TenantContext): Promise<PriceList> {
    requireOperator(caller);
    return this.#tenants.prices();
  }

  async putPrices(caller: TenantContext, body: unknown): Promise<PriceList> {
    requireOperator(caller);
    await this.#tenants.putPrices(parseInput(PriceList, body));
    return this.#tenants.prices();
  }

  async exportDocument(caller: TenantContext): Promise<TenancyDocument> {
    requireOperator(caller);
    return exportTenancy(this.#redis);
  }

  async importDocument(
    caller: TenantContext,
    body: unknown,
    query: unknown,
  ): Promise<{ applied: boolean; changes: TenancyChange[] }> {
    requireOperator(caller);
    const flags = parseInput(ImportQuery, query);
    const dryRun = flags.dryRun === 'true';
    const changes = await applyTenancy(this.#redis, body, { prune: flags.prune === 'true', dryRun });
    return { applied: !dryRun, changes };
  }

  /** A key that the caller may manage. Foreign ones look as if they did not exist. */
  async #ownKey(caller: TenantContext, keyId: string): Promise<void> {
    requireAdminOf(caller, caller.tenantId);
    const key = (await this.#keys.list()).find((candidate) => candidate.keyId === keyId);
    const allowed = key !== undefined && (caller.role === 'operator' || key.tenantId === caller.tenantId);
    if (!allowed) throw new MillraceError('not_found', `There is no key with the id "${keyId}".`);
    if (key.role === 'operator') requireOperator(caller);
  }
}

function inCredits({ sums, allowance }: AccountState): TenantView['account'] {
  return {
    granted: creditsOf(sums.granted),
    renewed: creditsOf(sums.renewed),
    balance: creditsOf(sums.balance),
    held: creditsOf(sums.held),
    spent: creditsOf(sums.spent),
    expired: creditsOf(sums.expired),
    allowance: allowance && { left: creditsOf(allowance.leftMicrocredits), renewsAtMs: allowance.renewsAtMs },
  };
}

function noTenant(tenantId: string): MillraceError {
  return new MillraceError('not_found', `There is no tenant "${tenantId}".`);
}
