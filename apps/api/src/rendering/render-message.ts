import type { ErrorCode, ModelCard } from '#contracts';
import type { RequestMessage } from '../generate/valid-generate-request.ts';

/** What the API's main thread posts to a rendering thread. Each is answered by one `RenderReply` of the same id. */
export type RenderMessage =
  | { readonly type: 'load'; readonly id: number; readonly cardHash: string; readonly card: ModelCard }
  | { readonly type: 'forget'; readonly id: number; readonly cardHash: string }
  | {
      readonly type: 'render';
      readonly id: number;
      readonly cardHash: string;
      readonly messages: readonly RequestMessage[];
    };

export type RenderReply =
  | { readonly id: number; readonly tokenIds: Int32Array | null }
  | { readonly id: number; readonly code: ErrorCode; readonly message: string };
