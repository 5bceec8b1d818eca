import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { ChatError } from './chat-error.ts';
import type { ChatMessage } from './conversation.ts';

const Saved = z.object({
  messages: z
    .array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() }))
    .refine((messages) => messages.every(({ role }, at) => role !== 'system' || at === 0), {
      message: 'only the first may be of the system',
    }),
});

/** Writes a body that `/v1/chat/completions` takes. @throws ChatError when it can not be written */
export function saveConversation(file: string, body: object): void {
  try {
    // What was said is for nobody else to read.
    writeFileSync(file, `${JSON.stringify(body, null, 2)}\n`, { mode: 0o600 });
  } catch (error) {
    throw new ChatError('not_saved', `${file} can not be written: ${reason(error)}`, { cause: error });
  }
}

/** @throws ChatError when the file can not be read, or holds no conversation of texts */
export function loadConversation(file: string): readonly ChatMessage[] {
  try {
    return Saved.parse(JSON.parse(readFileSync(file, 'utf8'))).messages;
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : reason(error);
    throw new ChatError('not_loaded', `${file} holds no conversation that /save wrote: ${why}`, { cause: error });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
