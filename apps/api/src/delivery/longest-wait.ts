import { MillraceError } from '#contracts';

const LONGEST_MS = 3_600_000;

/**
 * How long a client will wait in the queue: `x-queue-timeout-ms`, and never longer than the whole request may take by
 * `x-request-timeout-ms` or the `X-Stainless-Timeout` (seconds) that OpenAI's clients send. Null when none is there.
 * @throws MillraceError invalid_request when one of the first two is not a number of ms
 */
export function longestWaitOf(headers: Readonly<Record<string, string | string[] | undefined>>): number | null {
  const waits = [timeIn(headers, 'x-queue-timeout-ms'), requestTimeoutOf(headers)].filter((waitMs) => waitMs !== null);
  const whole = headers['x-stainless-timeout'];
  const wholeMs = typeof whole === 'string' && /^\d{1,9}(\.\d+)?$/.test(whole) ? Number(whole) * 1_000 : 0;
  if (wholeMs > 0) waits.push(wholeMs);
  return waits.length === 0 ? null : Math.min(...waits);
}

/**
 * How long the whole request may take: `x-request-timeout-ms`. Null when it is not there.
 * @throws MillraceError invalid_request when it is not a number of ms
 */
export function requestTimeoutOf(headers: Readonly<Record<string, string | string[] | undefined>>): number | null {
  return timeIn(headers, 'x-request-timeout-ms');
}

function timeIn(headers: Readonly<Record<string, string | string[] | undefined>>, name: string): number | null {
  const value = headers[name];
  if (value === undefined) return null;
  const timeMs = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (timeMs <= LONGEST_MS) return timeMs;
  throw new MillraceError(
    'invalid_request',
    `The header ${name} is ${JSON.stringify(value)}; it must be a whole number of ms from 0 to ${LONGEST_MS}.`,
    { param: name },
  );
}
