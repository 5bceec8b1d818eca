import { z } from 'zod';
import { MillraceError } from '#contracts';
import type { RequestTool, ToolUse } from '../../generate/tool-use.ts';
import { cacheControl } from './cache-control.ts';

/** Every tool is a part of the prompt; OpenAI's limit too. */
const MAX_TOOLS = 128;
const MAX_DESCRIPTION_CHARACTERS = 16_384;

const toolName = z.string().regex(/^[\w-]{1,64}$/, 'must have 1 to 64 letters, digits, underscores or dashes');
const namedTool = z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: toolName }) });

const Tool = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: toolName,
    description: z.string().max(MAX_DESCRIPTION_CHARACTERS).nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish().describe('JSON schema of the arguments object.'),
    strict: z.boolean().nullish().describe('Default false. Holds the arguments to the schema in free calls too.'),
  }),
  cache_control: cacheControl,
});

const ToolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  namedTool,
  z.strictObject({
    type: z.literal('allowed_tools'),
    allowed_tools: z.strictObject({
      mode: z.enum(['auto', 'required']),
      tools: z.array(namedTool).min(1).max(MAX_TOOLS),
    }),
  }),
]);

export const TOOL_FIELDS = {
  tools: z.array(Tool).max(MAX_TOOLS).nullish().describe('Functions that the model may call.'),
  tool_choice: ToolChoice.nullish().describe(
    'Default auto. none: no call; required, or a function by name: enforced token by token.',
  ),
  parallel_tool_calls: z
    .boolean()
    .nullish()
    .describe(
      'false: no more than one call, enforced. Default true; for calls that are asked for (or stand beside JSON as response_format) of a model whose template knows no tools, false.',
    ),
};

interface ToolBody {
  readonly tools?: readonly z.infer<typeof Tool>[] | null;
  readonly tool_choice?: z.infer<typeof ToolChoice> | null;
  readonly parallel_tool_calls?: boolean | null;
}

/**
 * What a request wants of tools; null when no call is possible, so that the model is shown none.
 * @throws MillraceError invalid_request for a name twice, and for a choice of a tool that is not there
 */
export function toolUseOf({ tools, tool_choice: choice, parallel_tool_calls: parallel }: ToolBody): ToolUse | null {
  const offered = (tools ?? []).map(toRequestTool);
  const names = offered.map((tool) => tool.name);
  const twice = names.findIndex((name, index) => names.indexOf(name) < index);
  if (twice >= 0) {
    throw refusal(`tools[${twice}].function.name`, names[twice], 'comes twice. Give every tool a name of its own.');
  }
  const none = choice === 'none' || (offered.length === 0 && (choice ?? 'auto') === 'auto');
  if (none) return null;
  if (offered.length === 0) {
    throw refusal('tool_choice', choice, 'asks for a call, but there are no tools. Send tools, or remove it.');
  }
  const use = { tools: offered, callable: names, choice: 'auto' as const, parallel: parallel ?? null };
  if (typeof choice !== 'object' || choice === null) return { ...use, choice: choice ?? 'auto' };
  if (choice.type === 'function') {
    const { name } = choice.function;
    if (!names.includes(name)) throw unknownTool('tool_choice.function.name', name, names);
    return { ...use, choice: { name } };
  }
  const { mode, tools: allowed } = choice.allowed_tools;
  const callable = allowed.map((tool, index) => {
    const { name } = tool.function;
    if (names.includes(name)) return name;
    throw unknownTool(`tool_choice.allowed_tools.tools[${index}].function.name`, name, names);
  });
  return { ...use, callable: [...new Set(callable)], choice: mode };
}

function toRequestTool({ function: tool }: z.infer<typeof Tool>): RequestTool {
  return {
    name: tool.name,
    ...(tool.description ? { description: tool.description } : {}),
    ...(tool.parameters ? { parameters: tool.parameters } : {}),
    strict: tool.strict ?? false,
  };
}

function unknownTool(param: string, name: string, names: readonly string[]): MillraceError {
  const shown = names.slice(0, 20).map((known) => JSON.stringify(known));
  return refusal(param, name, `is none of the tools. Send it in tools, or name one of: ${shown.join(', ')}.`);
}

function refusal(param: string, value: unknown, what: string): MillraceError {
  return new MillraceError('invalid_request', `${param} ${JSON.stringify(value)} ${what}`, { param });
}
