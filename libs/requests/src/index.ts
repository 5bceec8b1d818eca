/**
 * What every replica must know of a request that only one of them works on.
 *
 * @module
 * @example
 * import { RequestRecords } from '#requests';
 * const records = new RequestRecords(redis);
 * await records.update('team-a', requestId, { state: 'running', startedAtMs: Date.now() });
 * (await records.get('team-a', requestId))?.state; // 'running'
 */
export { askToCancel, CancelInbox } from './cancel-inbox.ts';
export { ComputedPrompts, type ComputedPromptsOptions } from './computed-prompts.ts';
export {
  IdempotencyKeys,
  idempotencyKeyHash,
  type KeyClaim,
  type KeyVerdict,
} from './idempotency-keys.ts';
export type {
  KeptAnswer,
  KeptAnswerLimits,
  KeptEnding,
  KeptError,
  KeptFrames,
  KeptState,
} from './kept-answer.ts';
export { type AnswerId, KeptAnswers } from './kept-answers.ts';
export { Notices } from './notices.ts';
export { type RefusedRequest, RefusedRequests } from './refused-requests.ts';
export { ReplicaPresence, type ReplicaPresenceOptions, relayAddresses } from './replica-presence.ts';
export type { RequestRecord, RequestState } from './request-record.ts';
export { RequestRecords } from './request-records.ts';
