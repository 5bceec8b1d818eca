import { type ErrorCode, MillraceError } from '#contracts';

/** Why a prompt could not be made, wherever that was tried: what a template refuses is about the messages unless it says otherwise. */
export function renderError(code: ErrorCode, message: string, param: string | null): MillraceError {
  const field = param ?? (code === 'invalid_request' ? 'messages' : null);
  return new MillraceError(code, message, field === null ? {} : { param: field });
}
