import type { ChatMessage, ChatTool } from './chat-message.ts';
import { TemplateError } from './template-error.ts';
import { type ToolSupport, withArguments, withResultRole, withSystemTools } from './tool-conversation.ts';

/** Renders a conversation with these tools. @throws TemplateError for what the template refuses */
export type ProbeRender = (messages: readonly unknown[], tools: readonly unknown[] | null) => string;

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

/** Granite 3.0's templates know results by the second, Llama's first ones by the third. */
const RESULT_ROLES = ['tool', 'tool_response', 'ipython', 'function'] as const;
/** How a template writes arguments that it takes for JSON text, when it is given an object. */
const PYTHON_OBJECT = "{'probe_argument': 'probe text'}";

/** Tries a template with a tool, and with a call of it in both forms. `render` throws TemplateError for what it refuses. */
export function probeToolSupport(render: ProbeRender): ToolSupport {
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

/** The role by which a template that shows tools takes results: `tool`, or the first of those by which they reach the prompt. */
export function probeResultRole(render: ProbeRender, support: ToolSupport): string {
  const isShown = (role: string): boolean => {
    try {
      return render(withResultRole(withArguments(PROBE_MESSAGES, support), role), [PROBE_TOOL]).includes('A result.');
    } catch (error) {
      if (error instanceof TemplateError) return false;
      throw error;
    }
  };
  return RESULT_ROLES.find(isShown) ?? 'tool';
}

/** Whether a template that shows tools shows the calls of earlier turns, too; true where it refuses them. */
export function probeShownCalls(render: ProbeRender, support: ToolSupport): boolean {
  try {
    return render(withArguments(PROBE_MESSAGES, support), [PROBE_TOOL]).includes('probe text');
  } catch (error) {
    if (error instanceof TemplateError) return true;
    throw error;
  }
}

/**
 * How a template that shows no tools writes calls of earlier turns: some (Functionary's first ones) are given the tools
 * in a system message of the caller's. `none`: it leaves them out.
 */
export function probeCallSupport(render: ProbeRender): ToolSupport {
  const works = (support: 'objects' | 'texts'): boolean => {
    try {
      const rendered = render(withArguments(PROBE_MESSAGES.slice(0, 2), support), null);
      return /probe_tool_name/.test(rendered) && /probe_argument\\?['"]?\W*probe text/.test(rendered);
    } catch (error) {
      if (error instanceof TemplateError) return false;
      throw error;
    }
  };
  if (works('texts')) return 'texts';
  return works('objects') ? 'objects' : 'none';
}
