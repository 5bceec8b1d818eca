import { type ErrorCode, MillraceError } from '#contracts';

/** HTTP errors that Fastify and Nest raise themselves. */
const CODE_OF_STATUS: Readonly<Record<number, { code: ErrorCode; message: string }>> = {
  404: { code: 'not_found', message: 'There is no such route.' },
  405: { code: 'method_not_allowed', message: 'This route does not take that method.' },
  413: {
    code: 'request_too_large',
    message: 'The request body is larger than this server takes. Send a smaller one, or raise MILLRACE_MAX_BODY_BYTES.',
  },
  415: {
    code: 'unsupported_media_type',
    message: 'The request body is not JSON by its content-type. Send "content-type: application/json".',
  },
};

/** Whatever was thrown while a request was answered, as an error that may be shown: nothing internal is told. */
export function toMillraceError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  const status = statusOf(error);
  const known = CODE_OF_STATUS[status];
  if (known !== undefined) return new MillraceError(known.code, known.message, { cause: error });
  if (status >= 400 && status < 500) {
    const message = error instanceof Error ? error.message : 'The request is not valid.';
    return new MillraceError('invalid_request', `${message}${message.endsWith('.') ? '' : '.'}`, { cause: error });
  }
  return new MillraceError(
    'internal_error',
    'Something went wrong here. Send the request again; the log has the cause.',
    {
      cause: error,
    },
  );
}

function statusOf(error: unknown): number {
  if (typeof error !== 'object' || error === null) return 500;
  if ('getStatus' in error && typeof error.getStatus === 'function') return Number(error.getStatus());
  if ('statusCode' in error) return Number(error.statusCode);
  return 500;
}
