import { MillraceError } from '#contracts';

/** What a client wants beyond its connection, by its headers. */
export interface KeepHeaders {
  /** Null when none was sent. */
  readonly idempotencyKey: string | null;
  /** The answer is to be kept, so that a broken stream can be resumed. */
  readonly resumable: boolean;
  /** Id of the last event that the client has; null for none. */
  readonly lastEventId: string | null;
}

/** Visible ASCII without quotes and backslashes, so that it reads the same bare and as a structured field's string. */
const KEY = /^[!#-[\]-~]{1,255}$/;
const QUOTED = /^"(.*)"$/;
const EVENT_ID = /^\d{1,9}(\.\d{1,9}){0,200}$/;

/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header: a string in quotes; bare keys are taken as well),
 * `x-millrace-resumable` and `Last-Event-ID`.
 * @throws MillraceError invalid_request naming the header that is wrong
 */
export function keepHeadersOf(headers: Readonly<Record<string, string | string[] | undefined>>): KeepHeaders {
  const resumable = headers['x-millrace-resumable'];
  if (resumable !== undefined && resumable !== 'true' && resumable !== 'false') {
    throw wrong('x-millrace-resumable', resumable, 'must be true or false');
  }
  return {
    idempotencyKey: keyOf(headers['idempotency-key']),
    resumable: resumable === 'true',
    lastEventId: eventIdOf(headers['last-event-id']),
  };
}

function keyOf(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  const key = typeof header === 'string' ? (QUOTED.exec(header)?.[1] ?? header) : '';
  if (KEY.test(key)) return key;
  throw wrong(
    'Idempotency-Key',
    header,
    'must be 1 to 255 visible ASCII letters without spaces, quotes and backslashes',
  );
}

function eventIdOf(header: string | string[] | undefined): string | null {
  if (header === undefined || header === '') return null;
  if (typeof header === 'string' && EVENT_ID.test(header)) return header;
  throw wrong('Last-Event-ID', header, 'must be the id of an event of this stream, such as 12.0');
}

function wrong(name: string, value: string | string[], rule: string): MillraceError {
  const shown = JSON.stringify(value).slice(0, 100);
  return new MillraceError('invalid_request', `The header ${name} is ${shown}; it ${rule}.`, { param: name });
}
