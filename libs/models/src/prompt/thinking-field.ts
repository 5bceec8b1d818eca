/**
 * The messages with their reasoning under the name that the templates of gpt-oss read, too, as transformers gives it.
 */
export function withThinking(messages: readonly unknown[]): readonly unknown[] {
  return messages.map((message) =>
    hasReasoning(message) ? { thinking: message.reasoning_content, ...message } : message,
  );
}

function hasReasoning(value: unknown): value is { readonly reasoning_content: unknown } {
  return typeof value === 'object' && value !== null && 'reasoning_content' in value;
}
