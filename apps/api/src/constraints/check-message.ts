import type { ErrorCode, ModelCard, OutputConstraint } from '#contracts';

/** What the checking thread is asked: to load a model's card, or whether that model's answers can be held to a constraint. */
export type CheckMessage =
  | { readonly type: 'load'; readonly cardHash: string; readonly card: ModelCard }
  | { readonly type: 'check'; readonly cardHash: string; readonly constraint: OutputConstraint };

/** `unknown_card` answers a check before the card was loaded. */
export type CheckReply =
  | { readonly type: 'loaded' }
  | { readonly type: 'unknown_card' }
  | { readonly type: 'accepted' }
  | CheckRefusal;

export interface CheckRefusal {
  readonly type: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
  /** The part of the schema at fault. */
  readonly param: string | null;
}
