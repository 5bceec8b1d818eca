import type { ErrorCode, ModelCard } from '#contracts';
import type { PromptTraits } from '#models';
import type { Conversation, RenderedTokens } from './prompt-source.ts';

/** What the API's main thread posts to a rendering thread. Each is answered by one `RenderReply` of the same id. */
export type RenderMessage =
  | { readonly type: 'load'; readonly id: number; readonly cardHash: string; readonly card: ModelCard }
  | { readonly type: 'forget'; readonly id: number; readonly cardHash: string }
  | {
      readonly type: 'render';
      readonly id: number;
      readonly cardHash: string;
      readonly conversation: Conversation;
    };

export type RenderReply =
  | { readonly id: number; readonly type: 'loaded'; readonly traits: PromptTraits }
  | { readonly id: number; readonly type: 'forgotten' }
  | ({ readonly id: number; readonly type: 'rendered' } & RenderedTokens)
  | {
      readonly id: number;
      readonly type: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      /** The field at fault. */
      readonly param: string | null;
    };
