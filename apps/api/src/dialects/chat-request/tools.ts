import { z } from 'zod';
import { MillraceError } from '#contracts';
import type { RequestTool, ToolUse } from '../../generate/tool-use.ts';
import { cacheControl } from './cache-control.ts';
import { CustomTool, customRequestTool } from './custom-tool.ts';
import { toolDescription, toolName } from './tool-name.ts';

/** Every tool is a part of the prompt; OpenAI's limit too. */
const MAX_TOOLS = 128;

const FunctionTool = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: toolName,
    description: toolDescription,
    parameters: z.record(z.string(), z.unknown()).nullish().describe('JSON schema of the arguments object.'),
    strict: z.boolean().nullish().describe('Default false. Holds the arguments to the schema in free calls too.'),
  }),
  cache_control: cacheControl,
});
const Tool = z.discriminatedUnion('type', [FunctionTool, CustomTool]);

const namedFunction = z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: toolName }) });
const namedCustom = z.strictObject({ type: z.literal('custom'), custom: z.strictObject({ name: toolName }) });
const namedTool = z.discriminatedUnion('type', [namedFunction, namedCustom]);
type NamedTool = z.infer<typeof namedTool>;

const mode = z.enum(['none', 'auto', 'required']);
const allowedTools = <Named extends z.ZodType<NamedTool>>(named: Named) =>
  z.strictObject({
    type: z.literal('allowed_tools'),
    allowed_tools: z.strictObject({
      mode: z.enum(['auto', 'required']),
      tools: z.array(named).min(1).max(MAX_TOOLS),
    }),
  });
const ToolChoice = z.union([mode, namedFunction, namedCustom, allowedTools(namedTool)]);

const TOOLS_ARE = 'Functions, and custom tools, which take a text, that the model may call.';
const CHOICE_IS = 'Default auto. none: no call; required, or a tool by name: enforced token by token.';

export const TOOL_FIELDS = {
  tools: z.array(Tool).max(MAX_TOOLS).nullish().describe(TOOLS_ARE),
  tool_choice: ToolChoice.nullish().describe(CHOICE_IS),
  parallel_tool_calls: z
    .boolean()
    .nullish()
    .describe(
      'false: no more than one call, enforced. Default true; for calls that are asked for (or stand beside JSON as response_format) of a model whose template knows no tools, false.',
    ),
};

/** In place of these, where a dialect's document has functions only. */
export const FUNCTION_FIELDS = {
  tools: z.array(FunctionTool).max(MAX_TOOLS).nullish().describe('Functions that the model may call.'),
  tool_choice: z
    .union([mode, namedFunction, allowedTools(namedFunction)])
    .nullish()
    .describe(CHOICE_IS),
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
    const { param } = nameOf(tools?.[twice], `tools[${twice}]`);
    throw refusal(param, names[twice], 'comes twice. Give every tool a name of its own, whatever its type.');
  }
  const none = choice === 'none' || (offered.length === 0 && (choice ?? 'auto') === 'auto');
  if (none) return null;
  if (offered.length === 0) {
    throw refusal('tool_choice', choice, 'asks for a call, but there are no tools. Send tools, or remove it.');
  }
  const use = { tools: offered, callable: names, choice: 'auto' as const, parallel: parallel ?? null };
  if (typeof choice !== 'object' || choice === null) return { ...use, choice: choice ?? 'auto' };
  if (choice.type !== 'allowed_tools') return { ...use, choice: { name: offeredName(choice, 'tool_choice', offered) } };
  const { mode: asked, tools: allowed } = choice.allowed_tools;
  const callable = allowed.map((tool, place) =>
    offeredName(tool, `tool_choice.allowed_tools.tools[${place}]`, offered),
  );
  return { ...use, callable: [...new Set(callable)], choice: asked };
}

function toRequestTool(given: z.infer<typeof Tool>): RequestTool {
  if (given.type === 'custom') return customRequestTool(given);
  const { function: tool } = given;
  return {
    name: tool.name,
    ...(tool.description ? { description: tool.description } : {}),
    ...(tool.parameters ? { parameters: tool.parameters } : {}),
    strict: tool.strict ?? false,
  };
}

/** The name of a tool of the request, as a choice has it. @throws MillraceError where none of that type is called so */
function offeredName(named: NamedTool, at: string, offered: readonly RequestTool[]): string {
  const { name, param } = nameOf(named, at);
  const alike = offered.filter(({ isCustom = false }) => isCustom === (named.type === 'custom'));
  if (alike.some((tool) => tool.name === name)) return name;
  const other = offered.find((tool) => tool.name === name);
  if (other !== undefined) {
    const type = other.isCustom ? 'custom' : 'function';
    throw refusal(param, name, `is a tool of the type "${type}". Send that type here.`);
  }
  const shown = alike.slice(0, 20).map((tool) => JSON.stringify(tool.name));
  const remedy = shown.length === 0 ? 'Send it in tools' : `Send it in tools, or name one of: ${shown.join(', ')}`;
  throw refusal(param, name, `is none of the tools. ${remedy}.`);
}

function nameOf(tool: NamedTool | undefined, at: string): { readonly name: string; readonly param: string } {
  if (tool?.type === 'custom') return { name: tool.custom.name, param: `${at}.custom.name` };
  return { name: tool?.function.name ?? '', param: `${at}.function.name` };
}

function refusal(param: string, value: unknown, what: string): MillraceError {
  return new MillraceError('invalid_request', `${param} ${JSON.stringify(value)} ${what}`, { param });
}
