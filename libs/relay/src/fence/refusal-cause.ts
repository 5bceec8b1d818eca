/**
 * Why a frame was refused.
 * - `unknown_request`: no open request of that id, for example one whose client has gone.
 * - `stale_epoch`: a frame of another attempt than the open one.
 * - `foreign_worker`: the attempt was not granted to the stream that sent the frame.
 * - `unknown_choice`: a choice the request does not have.
 * - `repeated_index`, `skipped_index`: the delta's first token is not the next one of its choice.
 * - `after_finish`: a frame of a choice that has ended.
 */
export const REFUSAL_CAUSES = [
  'unknown_request',
  'stale_epoch',
  'foreign_worker',
  'unknown_choice',
  'repeated_index',
  'skipped_index',
  'after_finish',
] as const;

export type RefusalCause = (typeof REFUSAL_CAUSES)[number];
