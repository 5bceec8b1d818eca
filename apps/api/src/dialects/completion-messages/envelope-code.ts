import type { ErrorCode, MillraceError } from '#contracts';

/** Last two digits of errors that share their status with others; 0 for every other error. Never changed, only added to. */
const CAUSES: Readonly<Partial<Record<ErrorCode, number>>> = {
  unsupported_parameter: 1,
  context_length_exceeded: 2,
  permission_denied: 1,
  not_found: 1,
  queue_full: 1,
  queue_timeout: 2,
  engine_failed: 1,
  attempts_exhausted: 2,
  no_workers: 1,
  overloaded: 2,
  worker_lost: 3,
  worker_draining: 4,
};

/** `code` of an error's envelope: its HTTP status followed by two digits, such as 40002 for a conversation that is too long. */
export function envelopeCode(error: MillraceError): number {
  return error.httpStatus * 100 + (CAUSES[error.code] ?? 0);
}
