import type { ToolDefinition } from '../output-formats/tool-set.ts';

/**
 * One message as a chat template sees it, in the fields that Hugging Face's templates read. Nothing in it can become a
 * control token.
 */
export interface ChatMessage {
  readonly role: string;
  /** '' where an assistant only called tools. */
  readonly content: string;
  readonly name?: string;
  /** What an assistant reasoned before an earlier answer; templates decide whether it is shown again. */
  readonly reasoning_content?: string;
  /** Calls of an earlier assistant turn. */
  readonly tool_calls?: readonly ChatToolCall[];
  /** In a tool's result: the call that it answers. */
  readonly tool_call_id?: string;
}

/** A call of an earlier turn: the arguments are JSON text, as clients send it back, or an object. */
export interface ChatToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string | Readonly<Record<string, unknown>> };
}

/** A tool as clients send it. */
export interface ChatTool {
  readonly type: 'function';
  readonly function: ToolDefinition;
}

/**
 * The roles a conversation may use. Some templates build control tokens from the role (`'<|' + role + '|>'`), so a free
 * role would be a way to write control tokens: `end` would make `<|end|>`.
 */
export const CHAT_ROLES: readonly string[] = Object.freeze([
  'system',
  'developer',
  'user',
  'assistant',
  'tool',
  'function',
  'ipython',
]);
