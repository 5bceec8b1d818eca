/**
 * One message as a chat template sees it. Templates read `role` and `content`; other fields (`name`, later `tool_calls`)
 * are passed on as they are. Nothing in it can become a control token.
 */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly name?: string;
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
