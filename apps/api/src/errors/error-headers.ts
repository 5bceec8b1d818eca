import { LONGEST_RETRY_AFTER_MS } from '#admission';
import type { ErrorCode, MillraceError } from '#contracts';

const DEFAULT_RETRY_AFTER_MS = 2_000;

/** Clients that try again by themselves are told not to: it would do harm, or can not help. */
const NEVER_AGAIN: ReadonlySet<ErrorCode> = new Set(['insufficient_credits', 'attempts_exhausted']);

/** `Retry-After` and its kin for an error that a later try of the same request can get past. */
export function errorHeaders(error: MillraceError): Record<string, string> {
  if (NEVER_AGAIN.has(error.code)) return { 'x-should-retry': 'false' };
  if (error.httpStatus !== 429 && error.httpStatus !== 503 && error.code !== 'idempotency_conflict') return {};
  const retryAfterMs = Math.min(error.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS, LONGEST_RETRY_AFTER_MS);
  return {
    'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))),
    'retry-after-ms': String(Math.ceil(retryAfterMs)),
  };
}
