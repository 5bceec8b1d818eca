import type { DocumentedTenant, TenancyDocument } from './tenancy-document.ts';

/** One field that a document changes. */
export interface FieldChange {
  /** As in the document, with dots. */
  readonly field: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** One thing that applying a document changes. */
export interface TenancyChange {
  readonly action: 'create' | 'update' | 'remove';
  readonly kind: 'tenant' | 'key' | 'prices';
  /** Tenant id, key id, or `prices`. */
  readonly id: string;
  /** Whose key it is; the tenant's own id otherwise, and empty for prices. */
  readonly tenantId: string;
  /** Empty for what is created or removed. */
  readonly fields: readonly FieldChange[];
}

type Keyed = Omit<DocumentedTenant['keys'][number], 'createdAtMs'> & { readonly createdAtMs?: number };

/**
 * What has to change so that `present` becomes `wanted`; nothing for two documents that say the same. Tenants and keys that
 * `wanted` does not name are removed only with `prune`.
 */
export function tenancyChanges(present: TenancyDocument, wanted: TenancyDocument, prune: boolean): TenancyChange[] {
  const changes: TenancyChange[] = [];
  const prices = fieldChanges(present.prices, wanted.prices);
  if (prices.length > 0) changes.push({ action: 'update', kind: 'prices', id: 'prices', tenantId: '', fields: prices });

  const presentTenants = new Map(present.tenants.map((tenant) => [tenant.id, tenant]));
  for (const { keys: _, ...tenant } of wanted.tenants) {
    const known = presentTenants.get(tenant.id);
    const base = { kind: 'tenant', id: tenant.id, tenantId: tenant.id } as const;
    if (known === undefined) {
      changes.push({ ...base, action: 'create', fields: [] });
      continue;
    }
    const { keys: _keys, ...before } = known;
    // `metered` says nothing about how much.
    const credits = tenant.credits === 'metered' && before.credits !== 'unlimited' ? before.credits : tenant.credits;
    const fields = fieldChanges(before, { ...tenant, credits });
    if (fields.length > 0) changes.push({ ...base, action: 'update', fields });
  }

  const presentKeys = keysOf(present);
  const wantedKeys = keysOf(wanted);
  for (const [keyId, key] of wantedKeys) {
    const known = presentKeys.get(keyId);
    const base = { kind: 'key', id: keyId, tenantId: key.tenantId } as const;
    if (known === undefined) {
      changes.push({ ...base, action: 'create', fields: [] });
      continue;
    }
    // A document may leave out when a key was made.
    const wantedKey = key.createdAtMs === 0 ? { ...key, createdAtMs: known.createdAtMs } : key;
    const fields = fieldChanges(known, wantedKey);
    if (fields.length > 0) changes.push({ ...base, action: 'update', fields });
  }
  if (!prune) return changes;

  const named = new Set(wanted.tenants.map((tenant) => tenant.id));
  for (const [keyId, { tenantId }] of presentKeys) {
    if (!wantedKeys.has(keyId)) changes.push({ action: 'remove', kind: 'key', id: keyId, tenantId, fields: [] });
  }
  for (const { id } of present.tenants) {
    if (!named.has(id)) changes.push({ action: 'remove', kind: 'tenant', id, tenantId: id, fields: [] });
  }
  return changes;
}

function keysOf(document: TenancyDocument): Map<string, Keyed & { tenantId: string }> {
  return new Map(
    document.tenants.flatMap(({ id, keys }) => keys.map((key) => [key.keyId, { ...key, tenantId: id }] as const)),
  );
}

function fieldChanges(before: object, after: object): FieldChange[] {
  const from = flat(before);
  const to = flat(after);
  return [...new Set([...from.keys(), ...to.keys()])]
    .filter((field) => JSON.stringify(from.get(field)) !== JSON.stringify(to.get(field)))
    .map((field) => ({ field, from: from.get(field) ?? null, to: to.get(field) ?? null }));
}

/** Nested objects become fields with dots; lists stay whole. */
function flat(value: object, before = ''): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  for (const [name, inner] of Object.entries(value)) {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) fields.set(`${before}${name}`, inner);
    else for (const [field, leaf] of flat(inner, `${before}${name}.`)) fields.set(field, leaf);
  }
  return fields;
}
