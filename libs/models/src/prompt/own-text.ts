/** One piece of an OwnText; in an `own` one, texts of control tokens are control tokens, as in the template's literals. */
export interface TextPart {
  readonly text: string;
  readonly own?: true;
}

/** A content that is partly ours, such as a call whose marks we write where a template leaves calls out. */
export class OwnText {
  readonly parts: readonly TextPart[];

  constructor(parts: readonly TextPart[]) {
    this.parts = parts;
  }
}

/** A conversation whose own texts are marked, as the template's literals are. */
export function withMarkedTexts(messages: unknown, mark: (text: string) => string): unknown {
  if (messages instanceof OwnText) {
    return messages.parts.map(({ text, own }) => (own ? mark(text) : text)).join('');
  }
  if (!Array.isArray(messages)) return messages;
  return messages.map((message) =>
    hasContent(message) && (message.content instanceof OwnText || Array.isArray(message.content))
      ? { ...message, content: withMarkedTexts(message.content, mark) }
      : hasText(message)
        ? { ...message, text: withMarkedTexts(message.text, mark) }
        : message,
  );
}

function hasContent(value: unknown): value is { readonly content: unknown } {
  return typeof value === 'object' && value !== null && 'content' in value;
}

function hasText(value: unknown): value is { readonly text: OwnText } {
  return typeof value === 'object' && value !== null && 'text' in value && value.text instanceof OwnText;
}
