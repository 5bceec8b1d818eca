import type { TenantContext } from './tenant-context.ts';

/** Turns an `Authorization` header into a tenant, without reading the request's body. */
export interface Authenticator {
  /** @throws MillraceError invalid_api_key when the header is missing, malformed or shows an unknown key */
  authenticate(authorization: string | undefined): Promise<TenantContext>;
}
