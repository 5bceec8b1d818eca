import { CHAT_ROLES, type ChatMessage } from './chat-message.ts';
import { TemplateError } from './template-error.ts';
import { addPrivateUse } from './template-markers.ts';

const MAX_DEPTH = 64;

/** Checks what the template library and the tokenizer take for granted. @throws TemplateError naming the field */
export function checkMessages(messages: readonly ChatMessage[]): void {
  messages.forEach(({ role }, index) => {
    if (!CHAT_ROLES.includes(role)) {
      const field = `messages[${index}].role`;
      throw new TemplateError(
        `${field}: ${JSON.stringify(role)} is not a role. Remedy: use one of ${CHAT_ROLES.join(', ')}.`,
        {
          param: field,
        },
      );
    }
  });
}

/**
 * Collects the private-use characters of all strings in a JSON-like value.
 * @throws TemplateError for strings with unpaired surrogates (they have no UTF-8 form), for values that are not JSON, and
 *   for nesting deeper than 64
 */
export function scanValue(value: unknown, field: string, privateUse: Set<string>, depth = 0): void {
  if (typeof value === 'string') {
    scanString(value, field, privateUse);
  } else if (typeof value === 'object' && value !== null) {
    if (depth >= MAX_DEPTH) {
      throw new TemplateError(`${field}: nested deeper than ${MAX_DEPTH} levels. Remedy: send a flatter value.`, {
        param: field,
      });
    }
    if (Array.isArray(value)) {
      value.forEach((item, index) => {
        scanValue(item, `${field}[${index}]`, privateUse, depth + 1);
      });
    } else {
      for (const [key, item] of Object.entries(value)) {
        scanString(key, field, privateUse);
        scanValue(item, `${field}.${key}`, privateUse, depth + 1);
      }
    }
  } else if (typeof value === 'function' || typeof value === 'symbol') {
    throw new TemplateError(`${field}: a ${typeof value} is not a JSON value`, { param: field });
  }
}

function scanString(text: string, field: string, privateUse: Set<string>): void {
  if (!text.isWellFormed()) {
    throw new TemplateError(
      `${field}: the text contains an unpaired surrogate, which is half of a character. Remedy: send valid Unicode.`,
      { param: field },
    );
  }
  addPrivateUse(text, privateUse);
}
