import { StartError } from '../start-error.ts';
import { ChatError } from './chat-error.ts';
import type { ChatSession } from './chat-session.ts';
import { MessageLines } from './message-lines.ts';
import { slashCommandOf } from './slash-command.ts';
import type { TerminalPrompt } from './terminal-prompt.ts';
import type { TerminalStyle } from './terminal-style.ts';

const PROMPT = '> ';
const GOES_ON = '… ';

export interface ConverseOptions {
  readonly session: ChatSession;
  readonly prompt: TerminalPrompt;
  readonly style: TerminalStyle;
  readonly write: (text: string) => void;
}

/** A conversation until its user leaves: Ctrl-D, `/quit`, or Ctrl-C twice. What goes wrong is said, and it goes on. */
export async function converse({ session, prompt, style, write }: ConverseOptions): Promise<void> {
  const lines = new MessageLines();
  /** Whether the next Ctrl-C leaves. */
  let interrupted = false;
  for (;;) {
    const entry = await prompt.next(lines.open ? GOES_ON : PROMPT);
    if (entry.kind === 'end') return;
    if (entry.kind === 'interrupt') {
      const dropped = entry.hadText || lines.open;
      lines.drop();
      if (interrupted && !dropped) return;
      if (!dropped) write(`${style.dim('Ctrl-C again leaves, as does Ctrl-D.')}\n`);
      interrupted = !dropped;
      continue;
    }
    const message = lines.add(entry.text);
    if (message === null || message.trim() === '') continue;
    const stop = new AbortController();
    prompt.onInterrupt = () => stop.abort();
    try {
      if ((await take(session, message, stop.signal)) === 'quit') return;
    } catch (error) {
      if (!(error instanceof ChatError || error instanceof StartError)) throw error;
      write(`${error.message}\n`);
    }
    interrupted = stop.signal.aborted;
    prompt.onInterrupt = () => undefined;
  }
}

async function take(session: ChatSession, message: string, stop: AbortSignal): Promise<'quit' | null> {
  const command = slashCommandOf(message);
  const todo = command === null ? { ask: message } : await session.do(command);
  if (todo === 'quit') return 'quit';
  if (todo !== null) await session.ask(todo.ask, stop);
  return null;
}
