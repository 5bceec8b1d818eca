import { MillraceError } from '#contracts';
import type { ReserveAnswer } from '../accounts/tenant-account.ts';
import { creditsOf } from '../credits/credits.ts';
import type { PlaceAnswer } from '../places/model-places.ts';
import type { AdmissionRequest } from './decision.ts';

/** Clients ignore a longer wait, some (the AI SDK) a whole minute too: they come back after two seconds then. */
export const LONGEST_RETRY_AFTER_MS = 59_999;
/** A worker that is starting needs about this long to load a small model. */
const NO_WORKERS_RETRY_MS = 5_000;

const retryIn = (retryAfterMs: number) => ({
  retryAfterMs: Math.min(LONGEST_RETRY_AFTER_MS, Math.max(1, Math.ceil(retryAfterMs))),
});
const seconds = (ms: number) => `${(Math.min(ms, LONGEST_RETRY_AFTER_MS) / 1_000).toFixed(1)} s`;

/** What can be said before Redis is asked. @returns null when nothing stands against the request */
export function refusalBefore(request: AdmissionRequest): MillraceError | null {
  const { tenant, model } = request;
  if (tenant.models !== null && !tenant.models.includes(model)) {
    return new MillraceError(
      'model_not_allowed',
      `Your tenant "${tenant.id}" may not use the model "${model}". Ask the operator for it.`,
      { param: 'model' },
    );
  }
  if (request.workers === 0) {
    return new MillraceError(
      'no_workers',
      `No worker serves "${model}" now. Try again later; the operator can start one.`,
      retryIn(NO_WORKERS_RETRY_MS),
    );
  }
  const tokens = request.promptTokens + request.completionTokensLimit;
  if (tenant.tokensPerMinute !== null && tokens > tenant.tokensPerMinute) {
    return new MillraceError(
      'invalid_request',
      `The request is ${tokens} tokens (${request.promptTokens} in the messages, up to ${request.completionTokensLimit} in ` +
        `the answer), more than the ${tenant.tokensPerMinute} tokens per minute of your tenant, so it can never be ` +
        'admitted. Ask for fewer tokens.',
      { param: 'max_tokens' },
    );
  }
  return null;
}

export function refusalOfReserve(
  request: AdmissionRequest,
  answer: ReserveAnswer,
  holdMicrocredits: number,
): MillraceError {
  const { tenant } = request;
  switch (answer.verdict) {
    case 'credits':
      return new MillraceError(
        'insufficient_credits',
        `The request can cost up to ${creditsOf(holdMicrocredits)} credits, and your tenant "${tenant.id}" has ` +
          `${creditsOf(answer.balanceMicrocredits)} left${afterRenewal(answer)}. Ask for fewer tokens, or ask the operator ` +
          'for credits.',
      );
    case 'requests':
      return new MillraceError(
        'rate_limit_exceeded',
        `Your tenant has used its ${tenant.requestsPerMinute} requests per minute. Try again in ${seconds(answer.retryAfterMs)}.`,
        retryIn(answer.retryAfterMs),
      );
    case 'tokens':
      return new MillraceError(
        'rate_limit_exceeded',
        `Your tenant has ${answer.tokens.remaining} of its ${tenant.tokensPerMinute} tokens per minute left, too few for ` +
          `this request. Try again in ${seconds(answer.retryAfterMs)}.`,
        retryIn(answer.retryAfterMs),
      );
    case 'concurrency':
      return new MillraceError(
        'rate_limit_exceeded',
        `Your tenant has ${tenant.concurrency} requests open, as many as it may have. Try again when one has ended, in ` +
          `about ${seconds(answer.retryAfterMs)}.`,
        retryIn(answer.retryAfterMs),
      );
    default:
      return new MillraceError('internal_error', `The request id ${request.requestId} was used before.`);
  }
}

/** What there will be when the allowance renews, if nothing else changes. */
function afterRenewal({ allowance, balanceMicrocredits }: ReserveAnswer): string {
  if (allowance === null) return '';
  const granted = Math.max(0, balanceMicrocredits - Math.max(0, allowance.leftMicrocredits));
  const renewsAt = new Date(allowance.renewsAtMs).toISOString().replace('.000Z', 'Z');
  return `, and will have ${creditsOf(granted + allowance.microcredits)} when its allowance renews at ${renewsAt}`;
}

export function refusalOfPlace(request: AdmissionRequest, answer: PlaceAnswer): MillraceError {
  const { model } = request;
  const again = `Try again in ${seconds(answer.retryAfterMs)}.`;
  switch (answer.verdict) {
    case 'overloaded':
      return new MillraceError(
        'overloaded',
        `The queue of "${model}" is beyond its limit. ${again}`,
        retryIn(answer.retryAfterMs),
      );
    case 'share':
      return new MillraceError(
        'queue_full',
        `Your tenant fills its share of the queue of "${model}". ${again}`,
        retryIn(answer.retryAfterMs),
      );
    case 'late':
      return new MillraceError(
        'queue_timeout',
        `The request would wait about ${seconds(answer.waitMs)} in the queue of "${model}", longer than the ` +
          `${seconds(request.longestWaitMs ?? 0)} it allows. ${again}`,
        retryIn(answer.retryAfterMs),
      );
    default:
      return new MillraceError(
        'queue_full',
        `The queue of "${model}" is full (${answer.taken} waiting). ${again}`,
        retryIn(answer.retryAfterMs),
      );
  }
}
