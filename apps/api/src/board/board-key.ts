import { apiKeyHash, sameHash } from '#admission';

const BEARER = /^Bearer +(\S+) *$/i;
const BASIC = /^Basic +([\w+/=-]+) *$/i;

/**
 * Whether an `Authorization` header shows the key: as a bearer, or as the password of any user, which is what a browser
 * asks its user for. Hashes are compared, in constant time.
 */
export function showsKey(authorization: string | undefined, key: string): boolean {
  const given = givenKey(authorization ?? '');
  return given !== null && sameHash(apiKeyHash(given), apiKeyHash(key));
}

function givenKey(authorization: string): string | null {
  const bearer = BEARER.exec(authorization)?.[1];
  if (bearer !== undefined) return bearer;
  const basic = BASIC.exec(authorization)?.[1];
  if (basic === undefined) return null;
  const [, password = null] = /^[^:]*:(.*)$/s.exec(Buffer.from(basic, 'base64').toString()) ?? [];
  return password;
}
