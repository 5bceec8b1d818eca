import { genericCallText, genericResultText, genericToolPrompt } from '../output-formats/generic-tool-prompt.ts';
import type { ChatMessage, ChatTool } from './chat-message.ts';
import { dataOfJson } from './jinja/json-data.ts';
import { TemplateError } from './template-error.ts';

/**
 * What a chat template knows of tools. `none`: neither tools nor calls reach the prompt; `objects` and `texts`: they do,
 * and it takes a call's arguments as an object (as Hugging Face's templates mostly do) or as JSON text; `system-message`: it takes
 * tools as a text that a system message has (Phi 4 mini).
 */
export type ToolSupport = 'none' | 'objects' | 'texts' | 'system-message';

/** What tools are given beside where a conversation has no system message: Phi 4 mini was taught with it. */
const SYSTEM_CONTENT = 'You are a helpful assistant with some tools.';

/** The messages with results in another role. */
export function withResultRole(messages: readonly unknown[], role: string): readonly unknown[] {
  if (role === 'tool') return messages;
  return messages.map((message) => (hasRole(message, 'tool') ? { ...message, role } : message));
}

/** The conversation with its tools in the system message, as a list of functions in JSON. */
export function withSystemTools(messages: readonly unknown[], tools: readonly ChatTool[]): readonly unknown[] {
  if (tools.length === 0) return messages;
  const text = JSON.stringify(tools.map((tool) => tool.function));
  const [first, ...others] = messages;
  return hasRole(first, 'system')
    ? [{ ...first, tools: text }, ...others]
    : [{ role: 'system', content: SYSTEM_CONTENT, tools: text }, ...messages];
}

function hasRole(message: unknown, role: string): message is object {
  return typeof message === 'object' && message !== null && 'role' in message && message.role === role;
}

/** The messages with their calls' arguments as the template takes them. @throws TemplateError for arguments that are no JSON object */
export function withArguments(messages: readonly ChatMessage[], support: ToolSupport): readonly unknown[] {
  const shaped = support === 'texts' ? argumentsText : argumentsOf;
  return messages.map((message, index) =>
    message.tool_calls
      ? {
          ...message,
          tool_calls: message.tool_calls.map((call, place) => ({
            ...call,
            function: {
              ...call.function,
              arguments: shaped(call.function.arguments, `messages[${index}].tool_calls[${place}]`),
            },
          })),
        }
      : message,
  );
}

/**
 * The same conversation for a template that knows no tools: a section of the system message describes them, calls are part of
 * the assistant's content, and results are user turns.
 */
export function withGenericTools(messages: readonly ChatMessage[], tools: readonly ChatTool[]): ChatMessage[] {
  const plain: ChatMessage[] = [];
  for (const message of messages) {
    if (message.role === 'tool') {
      const last = plain.at(-1);
      const text = genericResultText(message.content);
      // Results of several calls are one turn, because templates may insist on alternating roles.
      if (last?.role === 'user' && last.content.startsWith('<tool_response>')) {
        plain[plain.length - 1] = { ...last, content: `${last.content}\n${text}` };
      } else {
        plain.push({ role: 'user', content: text });
      }
    } else {
      const { tool_calls: calls = [], tool_call_id: _id, ...rest } = message;
      const texts = calls.map((call) => genericCallText(call.function.name, argumentsText(call.function.arguments)));
      plain.push({ ...rest, content: [...(rest.content === '' ? [] : [rest.content]), ...texts].join('\n') });
    }
  }
  if (tools.length === 0) return plain;
  const section = genericToolPrompt(tools.map((tool) => tool.function));
  const [first, ...others] = plain;
  return first?.role === 'system'
    ? [{ ...first, content: `${first.content}\n\n${section}` }, ...others]
    : [{ role: 'system', content: section }, ...plain];
}

function argumentsOf(given: string | Readonly<Record<string, unknown>>, field: string): unknown {
  if (typeof given !== 'string') return given;
  let value: unknown;
  try {
    value = dataOfJson(given);
  } catch {
    value = null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TemplateError(
      `${field}.function.arguments: not the text of a JSON object. Remedy: send the arguments as the assistant wrote them.`,
      { param: `${field}.function.arguments` },
    );
  }
  return value;
}

function argumentsText(given: string | Readonly<Record<string, unknown>>): string {
  return typeof given === 'string' ? given : JSON.stringify(given);
}
