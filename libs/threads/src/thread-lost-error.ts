/** A thread ended before it had answered, by an error of its own (the cause) or because it was closed; the next task gets a new one. */
export class ThreadLostError extends Error {
  constructor(cause?: unknown) {
    super('the thread ended before it had answered', { cause });
  }
}
