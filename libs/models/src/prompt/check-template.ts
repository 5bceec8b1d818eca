import type { ChatMessage } from './chat-message.ts';
import type { ContentForm } from './content-form.ts';
import { TemplateError } from './template-error.ts';
import { UnsupportedTemplateError } from './unsupported-template-error.ts';

export const PROBE_QUESTION = 'What is a millrace?';
export const PROBE_ANSWER = 'A channel of water.';

const CONVERSATIONS: readonly (readonly ChatMessage[])[] = [
  [{ role: 'user', content: PROBE_QUESTION }],
  [
    { role: 'user', content: PROBE_QUESTION },
    { role: 'assistant', content: PROBE_ANSWER },
    { role: 'user', content: PROBE_QUESTION },
  ],
];

/**
 * Tries a template on small conversations, so that one that cannot work is refused when its model is loaded.
 * @param form in which `render` gives the template the contents
 * @throws UnsupportedTemplateError when it fails, or leaves out the content of a message
 */
export function checkTemplate(
  render: (messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string,
  form: ContentForm,
): void {
  for (const messages of CONVERSATIONS) {
    for (const addGenerationPrompt of [true, false]) {
      let text: string;
      try {
        text = render(messages, addGenerationPrompt);
      } catch (error) {
        if (error instanceof TemplateError) {
          const roles = messages.map((message) => message.role).join(', ');
          throw new UnsupportedTemplateError(`it fails on a small conversation (${roles}): ${error.message}`, {
            cause: error,
          });
        }
        throw error;
      }
      if (!text.includes(PROBE_QUESTION)) {
        throw new UnsupportedTemplateError("it leaves out a user message's content, as text and as a list of parts");
      }
      if (form !== 'text' && messages.length > 1 && !text.includes(PROBE_ANSWER)) {
        throw new UnsupportedTemplateError("it leaves out an assistant's content when that is a list of parts");
      }
    }
  }
}
