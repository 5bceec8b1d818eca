import { MillraceError } from '#contracts';

const LONGEST_MS = 3_600_000;

/**
 * How long a client will wait in the queue: `x-queue-timeout-ms`, and never longer than the whole request may take by the
 * `X-Stainless-Timeout` (seconds) that OpenAI's clients send. Null when neither is there.
 * @throws MillraceError invalid_request when x-queue-timeout-ms is not a number of ms
 */
export function longestWaitOf(headers: Readonly<Record<string, string | string[] | undefined>>): number | null {
  const waits: number[] = [];
  const own = headers['x-queue-timeout-ms'];
  if (own !== undefined) {
    const waitMs = typeof own === 'string' && /^\d{1,9}$/.test(own) ? Number(own) : Number.NaN;
    if (!(waitMs <= LONGEST_MS)) {
      throw new MillraceError(
        'invalid_request',
        `The header x-queue-timeout-ms is ${JSON.stringify(own)}; it must be a whole number of ms from 0 to ${LONGEST_MS}.`,
        { param: 'x-queue-timeout-ms' },
      );
    }
    waits.push(waitMs);
  }
  const whole = headers['x-stainless-timeout'];
  const wholeMs = typeof whole === 'string' && /^\d{1,9}(\.\d+)?$/.test(whole) ? Number(whole) * 1_000 : 0;
  if (wholeMs > 0) waits.push(wholeMs);
  return waits.length === 0 ? null : Math.min(...waits);
}
