import { apiKeyHash, type KnownKey, sameHash } from '#admission';
import { MillraceError } from '#contracts';
import type { Authenticator } from './authenticator.ts';
import { bearerKeyOf } from './bearer-key.ts';
import { BOOTSTRAP_TENANT } from './bootstrap-tenant.ts';
import type { TenantContext } from './tenant-context.ts';

/** What this reads of libs/admission's `TenantDirectory`. */
export interface KeyDirectory {
  /** @throws MillraceError unavailable */
  byKey(apiKey: string): Promise<KnownKey | null>;
}

const BOOTSTRAP: TenantContext = { tenantId: BOOTSTRAP_TENANT.id, keyId: 'MILLRACE_DEV_KEY', role: 'operator' };

/**
 * Knows the keys of all tenants, and the one that the process was started with, which needs no Redis. Only SHA-256 are
 * compared, in constant time, so neither a key's length nor a matching beginning can be measured from outside.
 */
export class TenantAuthenticator implements Authenticator {
  readonly #bootstrapHash: string;
  readonly #directory: KeyDirectory;

  constructor(bootstrapKey: string, directory: KeyDirectory) {
    this.#bootstrapHash = apiKeyHash(bootstrapKey);
    this.#directory = directory;
  }

  async authenticate(authorization: string | undefined): Promise<TenantContext> {
    const key = bearerKeyOf(authorization);
    if (sameHash(apiKeyHash(key), this.#bootstrapHash)) return BOOTSTRAP;
    const known = await this.#directory.byKey(key);
    if (known === null) {
      throw new MillraceError(
        'invalid_api_key',
        'The key in the Authorization header is not known here, or it was revoked or has expired. Check the key, or ask ' +
          'the operator for one.',
      );
    }
    return { tenantId: known.tenant.id, keyId: known.key.keyId, role: known.key.role };
  }
}
