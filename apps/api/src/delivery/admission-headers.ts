import type { AdmissionStanding, LimitStanding } from '../generate/admission.ts';

/** `x-ratelimit-*` as OpenAI sends them, for the limits that the tenant has, and how long the queue is. */
export function admissionHeaders({ requests, tokens, queue }: AdmissionStanding): Record<string, string> {
  return {
    ...limitHeaders('requests', requests),
    ...limitHeaders('tokens', tokens),
    ...(queue === null ? {} : { 'x-queue-depth': String(queue.ahead), 'x-estimated-wait-ms': String(queue.waitMs) }),
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
