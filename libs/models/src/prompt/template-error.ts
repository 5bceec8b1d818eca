import { MillraceError } from '#contracts';

/** A conversation that the model's chat template or tokenizer refuses; the message names the field and the reason. */
export class TemplateError extends MillraceError {
  constructor(message: string, options: { cause?: unknown; param?: string } = {}) {
    super('invalid_request', message, options);
  }
}
