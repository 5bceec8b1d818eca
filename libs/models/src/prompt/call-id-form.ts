import { createHash } from 'node:crypto';
import type { ChatMessage } from './chat-message.ts';
import { PROBE_MESSAGES } from './probe-tools.ts';
import { TemplateError } from './template-error.ts';
import { type ToolSupport, withArguments } from './tool-conversation.ts';

/**
 * The ids of calls that a template takes. `short`: nine letters and digits, as Mistral's do. `numbered`: what Kimi K2 was trained on,
 * `functions.NAME:INDEX` with calls counted from 0 through the whole conversation, where the template writes the ids that it is given; its
 * first template numbers the calls of each turn itself, and writes the results' ids as they are given (`numbered-by-turn`).
 */
export type CallIdForm = 'any' | 'short' | 'numbered' | 'numbered-by-turn';

const KIMI_ARGUMENTS = '<|tool_call_argument_begin|>';
const [FIRST, SECOND] = ['call_0123456789abcdefghijklmn', 'call_nmlkjihgfedcba9876543210'];

/** Finds the form out by what the template does with conversations. @param render throws TemplateError for what it refuses */
export function probeCallIds(render: (messages: readonly unknown[]) => string, support: ToolSupport): CallIdForm {
  const rendered = (...ids: readonly string[]): string | null => {
    const messages = ids.flatMap((id) => withIds(PROBE_MESSAGES, () => id));
    try {
      return render(withArguments(messages, support));
    } catch (error) {
      if (error instanceof TemplateError) return null;
      throw error;
    }
  };
  if (rendered(FIRST) === null) return rendered('probe0001') === null ? 'any' : 'short';
  const text = rendered(FIRST, SECOND) ?? '';
  if (text.includes(`${SECOND}${KIMI_ARGUMENTS}`)) return 'numbered';
  const numbers = [...text.matchAll(/functions\.probe_tool_name:(\d+)<\|tool_call_argument_begin\|>/g)];
  return text.includes(`Return of ${SECOND}`) && numbers.at(-1)?.[1] === '0' ? 'numbered-by-turn' : 'any';
}

/** The messages with ids as the template takes them; results keep belonging to their calls. */
export function withCallIds(messages: readonly ChatMessage[], form: CallIdForm): readonly ChatMessage[] {
  if (form === 'any') return messages;
  return form === 'short' ? withIds(messages, shortId) : withNumberedIds(messages, form === 'numbered-by-turn');
}

/** A result belongs to the last call before it that has its id; one without a call keeps what it has. */
function withNumberedIds(messages: readonly ChatMessage[], byTurn: boolean): ChatMessage[] {
  const numbered = new Map<string, string>();
  let count = 0;
  return messages.map((message) => {
    if (byTurn && message.tool_calls) count = 0;
    const calls = message.tool_calls?.map((call) => {
      const id = `functions.${call.function.name}:${count++}`;
      numbered.set(call.id, id);
      return { ...call, id };
    });
    const result = message.tool_call_id;
    return {
      ...message,
      ...(calls && { tool_calls: calls }),
      ...(result !== undefined && { tool_call_id: numbered.get(result) ?? result }),
    };
  });
}

function withIds(messages: readonly ChatMessage[], idFor: (id: string) => string): ChatMessage[] {
  return messages.map((message) => ({
    ...message,
    ...(message.tool_calls && { tool_calls: message.tool_calls.map((call) => ({ ...call, id: idFor(call.id) })) }),
    ...(message.tool_call_id !== undefined && { tool_call_id: idFor(message.tool_call_id) }),
  }));
}

/** The same id always gives the same. */
function shortId(id: string): string {
  if (/^[A-Za-z0-9]{9}$/.test(id)) return id;
  return createHash('sha256').update(id).digest('base64').replace(/[+/]/g, '0').slice(0, 9);
}
