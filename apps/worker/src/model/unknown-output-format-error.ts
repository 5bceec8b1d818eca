/** `MILLRACE_OUTPUT_FORMAT` names a form of tool calls and reasoning that does not exist. */
export class UnknownOutputFormatError extends Error {
  override readonly name = 'UnknownOutputFormatError';

  constructor(given: string, known: Iterable<string>) {
    super(
      `MILLRACE_OUTPUT_FORMAT is "${given}", which is no format. Unset it, or take one of: ${[...known].join(', ')}.`,
    );
  }
}
