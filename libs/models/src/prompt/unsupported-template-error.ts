const REMEDY =
  "put a chat_template.jinja that Jinja 3 with Hugging Face's settings (trim_blocks, lstrip_blocks) renders into the model folder";

/** A chat template that cannot be used for any conversation: found when a model or its card is loaded, never by a request. */
export class UnsupportedTemplateError extends Error {
  readonly problem: string;
  readonly remedy = REMEDY;

  constructor(reason: string, options: { cause?: unknown } = {}) {
    const problem = `The chat template cannot be used: ${reason}`;
    super(`${problem}. Remedy: ${REMEDY}.`, options);
    this.name = new.target.name;
    this.problem = problem;
  }
}
