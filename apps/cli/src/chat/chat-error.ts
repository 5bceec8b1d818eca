/** Why there is no answer, or not a whole one; the message says what is wrong and what to do, and is all that the user sees. */
export class ChatError extends Error {
  /** The API's own, or `connection_lost`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ChatError';
    this.code = code;
  }
}
