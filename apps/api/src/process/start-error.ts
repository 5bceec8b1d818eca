/** The process can not start; the message names the setting, its value and the remedy, and is all that is printed. */
export class StartError extends Error {
  readonly code = 'start_failed';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StartError';
  }
}
