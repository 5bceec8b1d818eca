import { OwnText } from './own-text.ts';

/**
 * What a chat template takes for a message's content, from what most take: its text; a list of parts, as those of models that see mostly do, which
 * would leave a text out; or such a list in users' messages alone.
 */
export const CONTENT_FORMS = ['text', 'parts', 'user-parts'] as const;
export type ContentForm = (typeof CONTENT_FORMS)[number];

/** The messages with their contents, which are texts, in a template's form. */
export function withContents(messages: readonly unknown[], form: ContentForm): readonly unknown[] {
  if (form === 'text') return messages;
  return messages.map((message) => {
    if (!isMessage(message) || (form === 'user-parts' && message.role !== 'user')) return message;
    return { ...message, content: [{ type: 'text', text: message.content }] };
  });
}

function isMessage(value: unknown): value is { readonly role: unknown; readonly content: string | OwnText } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'role' in value &&
    'content' in value &&
    (typeof value.content === 'string' || value.content instanceof OwnText)
  );
}
