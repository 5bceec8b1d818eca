import type { ChatClient, ChatRequest } from './chat-client.ts';
import { shown, terminalStyle } from './terminal-style.ts';

/**
 * Writes one answer to standard output and nothing else; a terminal at standard error sees what the model thinks.
 * @throws ChatError, StartError as the client does; what came before is written by then
 */
export async function answerOnce(client: ChatClient, request: ChatRequest): Promise<void> {
  const { stdout, stderr } = process;
  const stop = new AbortController();
  // Whoever reads has had enough: `| head`.
  stdout.on('error', () => stop.abort());
  const style = terminalStyle(stderr);
  let end = '\n';
  let thinking = false;
  let cut = false;
  try {
    for await (const part of client.answer(request, stop.signal)) {
      if (part.kind === 'reasoning' && stderr.isTTY) {
        stderr.write(style.dim(shown(part.text)));
        thinking = true;
      } else if (part.kind === 'content') {
        if (thinking) stderr.write('\n\n');
        thinking = false;
        stdout.write(stdout.isTTY ? shown(part.text) : part.text);
        end = part.text.slice(-1);
      } else if (part.kind === 'finish') {
        cut = part.reason === 'length';
      }
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    if (end !== '\n') stdout.write('\n');
  }
  if (cut) stderr.write('The answer was cut off: no more tokens were allowed, or no more context was left.\n');
}
