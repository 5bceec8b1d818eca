/**
 * Every error that can leave Millrace, with what each protocol makes of it. `type` is OpenAI's error type.
 * `retryable` says whether the same request can succeed later without a change.
 */
export const ERROR_CODES = {
  invalid_request: { http: 400, grpc: 'INVALID_ARGUMENT', type: 'invalid_request_error', retryable: false },
  unsupported_parameter: { http: 400, grpc: 'INVALID_ARGUMENT', type: 'invalid_request_error', retryable: false },
  context_length_exceeded: { http: 400, grpc: 'INVALID_ARGUMENT', type: 'invalid_request_error', retryable: false },
  invalid_api_key: { http: 401, grpc: 'UNAUTHENTICATED', type: 'authentication_error', retryable: false },
  insufficient_credits: { http: 402, grpc: 'FAILED_PRECONDITION', type: 'insufficient_quota', retryable: false },
  model_not_allowed: { http: 403, grpc: 'PERMISSION_DENIED', type: 'permission_error', retryable: false },
  permission_denied: { http: 403, grpc: 'PERMISSION_DENIED', type: 'permission_error', retryable: false },
  model_not_found: { http: 404, grpc: 'NOT_FOUND', type: 'invalid_request_error', retryable: false },
  not_found: { http: 404, grpc: 'NOT_FOUND', type: 'invalid_request_error', retryable: false },
  method_not_allowed: { http: 405, grpc: 'UNIMPLEMENTED', type: 'invalid_request_error', retryable: false },
  /** A request with the same idempotency key is being let in. */
  idempotency_conflict: { http: 409, grpc: 'ABORTED', type: 'invalid_request_error', retryable: true },
  /** The key stands for another request. */
  idempotency_key_reused: { http: 422, grpc: 'INVALID_ARGUMENT', type: 'invalid_request_error', retryable: false },
  /** A worker has no room for a model beside those that it holds. */
  insufficient_memory: { http: 409, grpc: 'RESOURCE_EXHAUSTED', type: 'invalid_request_error', retryable: false },
  request_too_large: { http: 413, grpc: 'INVALID_ARGUMENT', type: 'invalid_request_error', retryable: false },
  unsupported_media_type: { http: 415, grpc: 'INVALID_ARGUMENT', type: 'invalid_request_error', retryable: false },
  rate_limit_exceeded: { http: 429, grpc: 'RESOURCE_EXHAUSTED', type: 'rate_limit_error', retryable: true },
  queue_full: { http: 429, grpc: 'RESOURCE_EXHAUSTED', type: 'rate_limit_error', retryable: true },
  queue_timeout: { http: 429, grpc: 'DEADLINE_EXCEEDED', type: 'rate_limit_error', retryable: true },
  request_cancelled: { http: 499, grpc: 'CANCELLED', type: 'invalid_request_error', retryable: false },
  internal_error: { http: 500, grpc: 'INTERNAL', type: 'server_error', retryable: false },
  /** Every attempt ended its worker or failed there: running it again would do more harm. */
  attempts_exhausted: { http: 500, grpc: 'INTERNAL', type: 'server_error', retryable: false },
  engine_failed: { http: 500, grpc: 'INTERNAL', type: 'server_error', retryable: true },
  /** The client's own limit for the whole request; it asked not to be served any longer. */
  deadline_exceeded: { http: 504, grpc: 'DEADLINE_EXCEEDED', type: 'server_error', retryable: false },
  /** A worker that stops hands the request over; another one goes on with it. */
  worker_draining: { http: 503, grpc: 'UNAVAILABLE', type: 'server_error', retryable: true },
  worker_lost: { http: 503, grpc: 'UNAVAILABLE', type: 'server_error', retryable: true },
  no_workers: { http: 503, grpc: 'UNAVAILABLE', type: 'server_error', retryable: true },
  overloaded: { http: 503, grpc: 'UNAVAILABLE', type: 'server_error', retryable: true },
  unavailable: { http: 503, grpc: 'UNAVAILABLE', type: 'server_error', retryable: true },
} as const satisfies Record<string, { http: number; grpc: string; type: string; retryable: boolean }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(ERROR_CODES, value);
}
