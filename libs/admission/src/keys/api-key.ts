import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const MARK = 'sk-mr-';
/** 256 bits from the operating system's generator: beyond guessing, so a plain hash protects it. */
const SECRET_BYTES = 32;
/** Letters of a key that lists show: the mark and 36 of its 256 bits. */
const PREFIX_LETTERS = MARK.length + 6;

/** A new random key. It is shown once and kept nowhere. */
export function newApiKey(): string {
  return `${MARK}${randomBytes(SECRET_BYTES).toString('base64url')}`;
}

/** The only form in which a key is stored. */
export function apiKeyHash(key: string): string {
  return createHash('sha256').update(key, 'utf8').digest('hex');
}

/** What lists may show of a key, so that its owner knows it again. */
export function apiKeyPrefix(key: string): string {
  return key.slice(0, Math.min(PREFIX_LETTERS, Math.floor(key.length / 3)));
}

/** Compares two SHA-256 in hex in constant time. */
export function sameHash(a: string, b: string): boolean {
  const left = Buffer.from(a, 'hex');
  const right = Buffer.from(b, 'hex');
  return left.length === right.length && timingSafeEqual(left, right);
}
