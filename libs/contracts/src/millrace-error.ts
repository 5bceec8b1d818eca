import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

export interface MillraceErrorOptions {
  cause?: unknown;
  /** The request field at fault, in the caller's own spelling (`messages[2].content`). */
  param?: string;
  /** How long a caller should wait before a retry, in ms. */
  retryAfterMs?: number;
}

/** The base of every error that may reach a caller: a stable code and a message that names the value and the remedy. */
export class MillraceError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterMs: number | null;

  constructor(code: ErrorCode, message: string, options: MillraceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.param = options.param ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }

  get httpStatus(): number {
    return ERROR_CODES[this.code].http;
  }

  get type(): string {
    return ERROR_CODES[this.code].type;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}
