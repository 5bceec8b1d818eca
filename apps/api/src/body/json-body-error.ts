import { MillraceError } from '#contracts';

/** The body is not a JSON text that may be read: the message says where and what to change. */
export class JsonBodyError extends MillraceError {
  constructor(problem: string, remedy: string, cause?: unknown) {
    super('invalid_request', `The request body ${problem}. ${remedy}`, cause === undefined ? {} : { cause });
  }
}
