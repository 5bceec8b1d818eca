import { z } from 'zod';
import { TenantId } from '../tenants/tenant-record.ts';

/** `tenant` may ask models; `admin` may manage its own tenant; `operator` may manage all. */
export const KeyRole = z.enum(['tenant', 'admin', 'operator']);
export type KeyRole = z.infer<typeof KeyRole>;

/** A key as it is stored, under its SHA-256. Nothing in it leads back to the key. */
export const KeyRecord = z.strictObject({
  keyId: z.string().regex(/^[\w-]{1,64}$/),
  /** SHA-256 of the key in hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  tenantId: TenantId,
  role: KeyRole,
  prefix: z.string().max(32),
  note: z.string().max(200),
  createdAtMs: z.int(),
  /** Unix time in ms after which the key is refused; null for never. */
  expiresAtMs: z.int().nullable(),
});
export type KeyRecord = z.infer<typeof KeyRecord>;

/** A key as lists show it. */
export type KeyListing = Omit<KeyRecord, 'hash'> & { readonly lastUsedAtMs: number | null };
