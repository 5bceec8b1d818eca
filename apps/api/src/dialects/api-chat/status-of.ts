import type { MillraceError } from '#contracts';
import { BodyStructureError } from '../../body/body-structure-error.ts';

const OF_THE_REQUEST: ReadonlySet<string> = new Set(['invalid_request', 'unsupported_parameter']);

/**
 * The document tells "invalid format" (400) from "invalid parameters" (422): a body that is no JSON, or has a field missing,
 * unknown, of the wrong type or wrong in a message, is the former; a parameter whose value alone can not be used the latter.
 */
export function statusOf(error: MillraceError): number {
  const { code, param, httpStatus } = error;
  const ofValue = OF_THE_REQUEST.has(code) && param !== null && !param.startsWith('messages');
  return ofValue && !(error instanceof BodyStructureError) ? 422 : httpStatus;
}
