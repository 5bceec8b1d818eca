import { styleText } from 'node:util';

/** How a terminal shows what is not the answer itself. */
export interface TerminalStyle {
  /** Less than the answer; as it is where colours are not wanted (NO_COLOR) or not known. */
  dim(text: string): string;
  /** Goes to the start of the line and empties it; nothing where the output is no terminal. */
  readonly eraseLine: string;
}

export function terminalStyle(stream: NodeJS.WriteStream): TerminalStyle {
  return {
    dim: (text) => (text === '' ? '' : styleText('dim', text, { stream })),
    eraseLine: stream.isTTY ? '\r\u001b[K' : '',
  };
}

/** Text of a model without what a terminal would take for commands: control characters but line feeds and tabs. */
export function shown(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is meant
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}
