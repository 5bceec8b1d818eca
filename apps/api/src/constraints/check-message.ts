import type { ErrorCode, ModelCard, OutputConstraint } from '#contracts';

/** What the main thread posts to the checking thread; the card only where the thread has not seen it. */
export interface CheckMessage {
  readonly id: number;
  readonly cardHash: string;
  readonly card: ModelCard | null;
  readonly constraint: OutputConstraint;
}

/** `ready` says that the card is loaded and the compiling begins; the other two end a check. */
export type CheckReply =
  | { readonly id: number; readonly type: 'ready' }
  | { readonly id: number; readonly type: 'accepted' }
  | {
      readonly id: number;
      readonly type: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      /** The part of the schema at fault. */
      readonly param: string | null;
    };
