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

const PROBE_TOOL: ChatTool = {
  type: 'function',
  function: {
    name: 'probe_tool_name',
    description: 'A probe.',
    parameters: { type: 'object', properties: { probe_argument: { type: 'string', description: 'A text.' } } },
  },
};
/** A question, a call, and its result. */
export const PROBE_MESSAGES: readonly ChatMessage[] = [
  { role: 'user', content: 'A question.' },
  {
    role: 'assistant',
    content: '',
    tool_calls: [
      {
        id: 'probe0001',
        type: 'function',
        function: { name: 'probe_tool_name', arguments: '{"probe_argument":"probe text"}' },
      },
    ],
  },
  { role: 'tool', name: 'probe_tool_name', tool_call_id: 'probe0001', content: 'A result.' },
];

/** What tools are given beside where a conversation has no system message: Phi 4 mini was taught with it. */
const SYSTEM_CONTENT = 'You are a helpful assistant with some tools.';

/** How a template writes arguments that it takes for JSON text, when it is given an object. */
const PYTHON_OBJECT = "{'probe_argument': 'probe text'}";

/** Tries a template with a tool, and with a call of it in both forms. `render` throws TemplateError for what it refuses. */
export function probeToolSupport(
  render: (messages: readonly unknown[], tools: readonly unknown[]) => string,
): ToolSupport {
  const tried = (messages: readonly unknown[], wanted: RegExp): boolean => {
    try {
      const text = render(messages, [PROBE_TOOL]);
      return wanted.test(text) && !text.includes(PYTHON_OBJECT);
    } catch (error) {
      if (error instanceof TemplateError) return false;
      throw error;
    }
  };
  if (!tried(PROBE_MESSAGES.slice(0, 1), /probe_tool_name/)) {
    const messages = withSystemTools(PROBE_MESSAGES.slice(0, 1), [PROBE_TOOL]);
    return tried(messages, /"probe_tool_name".*"probe_argument"/s) ? 'system-message' : 'none';
  }
  // Between a name and its value there may be marks with words of their own.
  if (tried(withArguments(PROBE_MESSAGES, 'objects'), /probe_argument.{1,80}probe text/s)) return 'objects';
  return tried(withArguments(PROBE_MESSAGES, 'texts'), /probe_argument\\?['"]?\W*probe text/) ? 'texts' : 'objects';
}

/** Whether a template that shows tools shows the calls of earlier turns, too; true where it refuses them. */
export function probeShownCalls(
  render: (messages: readonly unknown[], tools: readonly unknown[]) => string,
  support: ToolSupport,
): boolean {
  try {
    return render(withArguments(PROBE_MESSAGES, support), [PROBE_TOOL]).includes('probe text');
  } catch (error) {
    if (error instanceof TemplateError) return true;
    throw error;
  }
}

/** The conversation with its tools in the system message, as a list of functions in JSON. */
export function withSystemTools(messages: readonly unknown[], tools: readonly ChatTool[]): readonly unknown[] {
  if (tools.length === 0) return messages;
  const text = JSON.stringify(tools.map((tool) => tool.function));
  const [first, ...others] = messages;
  return isSystemMessage(first)
    ? [{ ...first, tools: text }, ...others]
    : [{ role: 'system', content: SYSTEM_CONTENT, tools: text }, ...messages];
}

function isSystemMessage(message: unknown): message is object {
  return typeof message === 'object' && message !== null && 'role' in message && message.role === 'system';
}

/**
 * How a template that shows no tools writes calls of earlier turns: some (Functionary's first ones) are given the tools
 * in a system message of the caller's. `none`: it leaves them out.
 */
export function probeCallSupport(render: (messages: readonly unknown[]) => string): ToolSupport {
  const works = (support: 'objects' | 'texts'): boolean => {
    try {
      const rendered = render(withArguments(PROBE_MESSAGES.slice(0, 2), support));
      return /probe_tool_name/.test(rendered) && /probe_argument\\?['"]?\W*probe text/.test(rendered);
    } catch (error) {
      if (error instanceof TemplateError) return false;
      throw error;
    }
  };
  if (works('texts')) return 'texts';
  return works('objects') ? 'objects' : 'none';
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
