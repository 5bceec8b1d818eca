import { createHash, timingSafeEqual } from 'node:crypto';
import { MillraceError } from '#contracts';
import type { Authenticator } from './authenticator.ts';
import type { TenantContext } from './tenant-context.ts';

const BEARER = /^Bearer +(\S+) *$/i;

/**
 * Knows one key. Compares SHA-256 digests in constant time, so neither the key's length nor a matching beginning can be
 * measured from outside, and the key itself is not kept.
 */
export class SingleKeyAuthenticator implements Authenticator {
  readonly #digest: Buffer;
  readonly #tenant: TenantContext;

  constructor(key: string, tenant: TenantContext) {
    this.#digest = sha256(key);
    this.#tenant = tenant;
  }

  async authenticate(authorization: string | undefined): Promise<TenantContext> {
    if (authorization === undefined) {
      throw new MillraceError(
        'invalid_api_key',
        'The request has no Authorization header. Send "Authorization: Bearer <your key>".',
      );
    }
    const key = BEARER.exec(authorization)?.[1];
    if (key === undefined) {
      throw new MillraceError(
        'invalid_api_key',
        'The Authorization header is not of the form "Bearer <your key>". Send the key that way.',
      );
    }
    if (!timingSafeEqual(sha256(key), this.#digest)) {
      throw new MillraceError(
        'invalid_api_key',
        'The key in the Authorization header is not known here. Check the key, or ask the operator for one.',
      );
    }
    return this.#tenant;
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
