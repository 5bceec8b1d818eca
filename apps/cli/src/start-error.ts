/** A command cannot do what was asked; the message says what is wrong and what to do, and is all that the user sees. */
export class StartError extends Error {
  readonly code = 'cannot_start';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}
