import type { MillraceError } from '#contracts';

const DEFAULT_RETRY_AFTER_MS = 2_000;
/** Clients ignore a longer one. */
const LONGEST_RETRY_AFTER_MS = 60_000;

/** `Retry-After` and its kin for an error that a later try of the same request can get past. */
export function errorHeaders(error: MillraceError): Record<string, string> {
  if (error.code === 'insufficient_credits') return { 'x-should-retry': 'false' };
  if (error.httpStatus !== 429 && error.httpStatus !== 503 && error.code !== 'idempotency_conflict') return {};
  const retryAfterMs = Math.min(error.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS, LONGEST_RETRY_AFTER_MS);
  return {
    'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))),
    'retry-after-ms': String(Math.ceil(retryAfterMs)),
  };
}
