import { type ErrorCode, MillraceError } from '#contracts/ports';

/** A written grammar that is not enforced: it is malformed, too large, or uses what can not be. */
export class GrammarRefusedError extends MillraceError {
  /** Where it is at fault, from 1; null for the whole. */
  readonly line: number | null;

  /** @param problem what is wrong, and what to do; whole sentences */
  constructor(
    code: Extract<ErrorCode, 'invalid_request' | 'unsupported_parameter'>,
    line: number | null,
    problem: string,
  ) {
    super(code, `Grammar${line === null ? '' : `, line ${line}`}: ${problem}`, { param: '' });
    this.line = line;
  }
}
