import { MillraceError } from '#contracts';

const BEARER = /^Bearer +(\S+) *$/i;

/** @throws MillraceError invalid_api_key when the header is missing or malformed */
export function bearerKeyOf(authorization: string | undefined): string {
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
  return key;
}
