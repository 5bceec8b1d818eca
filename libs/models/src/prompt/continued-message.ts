import type { ChatMessage } from './chat-message.ts';
import { stripped } from './jinja/jinja-methods.ts';
import { TemplateError } from './template-error.ts';

/** Ends with a blank: a template that leaves it away trims what it is given. */
const MARK = 'TheAnswerGoesOnHere';

/**
 * A conversation whose last message the model is to go on with. Its text is rendered with a mark behind it, and what was
 * written is cut there, as transformers' `continue_final_message` does it: what the template writes behind a message (the
 * end of the turn) is left out, whatever it is, and so is white space at the text's end where the template trims.
 */
export class ContinuedMessage {
  /** With the mark. */
  readonly messages: readonly ChatMessage[];
  /** What is gone on with: the content, or the reasoning of a message that has nothing else. */
  readonly field: 'content' | 'reasoning_content';
  readonly text: string;
  readonly #mark: string;
  readonly #place: string;

  /** @throws TemplateError where there is no message */
  constructor(messages: readonly ChatMessage[]) {
    const last = messages.at(-1);
    if (last === undefined) throw new TemplateError('messages: there is none to go on with.', { param: 'messages' });
    const { content, reasoning_content: reasoning = '' } = last;
    this.field = content === '' && reasoning !== '' ? 'reasoning_content' : 'content';
    this.text = last[this.field] ?? '';
    this.#place = `messages[${messages.length - 1}].${this.field}`;
    const given = JSON.stringify(messages);
    let mark = MARK;
    for (let number = 2; given.includes(mark); number++) mark = `${MARK}${number}`;
    this.#mark = mark;
    this.messages = [...messages.slice(0, -1), { ...last, [this.field]: `${this.text}${mark} ` }];
  }

  /** What was written up to the end of the message's text. @throws TemplateError where the template does not write that text */
  cut(written: string): string {
    const end = written.lastIndexOf(this.#mark);
    const before = written.slice(0, Math.max(0, end));
    const text = stripped(this.text, null, true, true);
    if (end < 0 || !before.includes(text)) {
      throw new TemplateError(
        `${this.#place}: it can not be continued, because the model's chat template leaves it out of the prompt or changes it. ` +
          'Remedy: begin the answer with another text, or send the messages without "prefix" and "continue_final_message".',
        { param: this.#place },
      );
    }
    const isTrimmed = !written.startsWith(' ', end + this.#mark.length);
    const space = this.text.slice(stripped(this.text, null, false, true).length);
    return isTrimmed && text !== '' && before.endsWith(space) ? before.slice(0, before.length - space.length) : before;
  }
}
