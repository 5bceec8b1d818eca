import { type AllowanceStanding, creditsOf } from '#admission';
import type { AdmissionStanding, LimitStanding } from '../generate/admission.ts';

/** `x-ratelimit-*` as OpenAI sends them, for the limits that the tenant has, its allowance, and how long the queue is. */
export function admissionHeaders({ requests, tokens, allowance, queue }: AdmissionStanding): Record<string, string> {
  return {
    ...limitHeaders('requests', requests),
    ...limitHeaders('tokens', tokens),
    ...(allowance === null ? {} : allowanceHeaders(allowance)),
    ...(queue === null ? {} : { 'x-queue-depth': String(queue.ahead), 'x-estimated-wait-ms': String(queue.waitMs) }),
  };
}

/** Requests beyond the allowance are admitted as long as granted credits last, so these are no limits of a rate. */
function allowanceHeaders({ microcredits, leftMicrocredits, renewsAtMs }: AllowanceStanding) {
  return {
    'x-allowance-credits': String(creditsOf(microcredits)),
    'x-allowance-remaining-credits': String(creditsOf(Math.max(0, leftMicrocredits))),
    'x-allowance-renews-at': new Date(renewsAtMs).toISOString(),
  };
}

function limitHeaders(kind: 'requests' | 'tokens', { limit, remaining, resetMs }: LimitStanding) {
  if (limit === null) return {};
  return {
    [`x-ratelimit-limit-${kind}`]: String(limit),
    [`x-ratelimit-remaining-${kind}`]: String(remaining),
    [`x-ratelimit-reset-${kind}`]: resetMs < 1_000 ? `${resetMs}ms` : `${Math.ceil(resetMs / 1_000)}s`,
  };
}
