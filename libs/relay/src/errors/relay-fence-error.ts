import { MillraceError } from '#contracts';
import type { RefusalCause } from '../fence/refusal-cause.ts';

/** The worker that ran an attempt sent frames that would repeat, skip or misplace tokens, so the attempt was ended. */
export class RelayFenceError extends MillraceError {
  readonly refusal: RefusalCause;

  constructor(refusal: RefusalCause, workerId: string, detail: string) {
    super(
      'engine_failed',
      `Worker ${workerId} sent a frame that was refused (${refusal}: ${detail}). The request was ended rather than ` +
        'answered with wrong text; it can be retried.',
    );
    this.refusal = refusal;
  }
}
