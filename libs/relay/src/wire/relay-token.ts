import { createHash, timingSafeEqual } from 'node:crypto';
import { Metadata } from '@grpc/grpc-js';

const SCHEME = 'Bearer ';

/** Call metadata that shows `token`, or none when the relay runs without one. */
export function tokenMetadata(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', SCHEME + token);
  return metadata;
}

/** Whether `metadata` shows `expected`; the time taken does not depend on how much of it is right. */
export function showsToken(metadata: Metadata, expected: string | undefined): boolean {
  if (expected === undefined) return true;
  const shown = metadata.get('authorization')[0];
  if (typeof shown !== 'string' || !shown.startsWith(SCHEME)) return false;
  return timingSafeEqual(digest(shown.slice(SCHEME.length)), digest(expected));
}

/** Hashing makes both sides equally long, which timingSafeEqual needs, without telling the length of the token. */
function digest(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}
