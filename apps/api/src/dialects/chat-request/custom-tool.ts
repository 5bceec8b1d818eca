import { z } from 'zod';
import type { InputGrammar, RequestTool } from '../../generate/tool-use.ts';
import { cacheControl } from './cache-control.ts';
import { toolDescription, toolName } from './tool-name.ts';

const MAX_GRAMMAR_CHARACTERS = 131_072;

const GrammarFormat = z.strictObject({
  type: z.literal('grammar'),
  grammar: z.strictObject({
    syntax: z.enum(['lark', 'regex']).describe('Of the definition: Lark’s notation, or a regular expression.'),
    definition: z
      .string()
      .min(1)
      .max(MAX_GRAMMAR_CHARACTERS)
      .describe('Derives the whole input, or matches it from its first character to its last.'),
  }),
});

/** OpenAI's tool that takes a text, and no JSON. */
export const CustomTool = z.strictObject({
  type: z.literal('custom'),
  custom: z.strictObject({
    name: toolName,
    description: toolDescription,
    format: z
      .discriminatedUnion('type', [z.strictObject({ type: z.literal('text') }), GrammarFormat])
      .nullish()
      .describe('Default text: any. grammar: enforced token by token, in free calls too.'),
  }),
  cache_control: cacheControl,
});
type CustomToolBody = z.infer<typeof CustomTool>;

/** The function that the model is shown, whose calls are told as a custom tool's. */
export function customRequestTool({ custom: { name, description, format } }: CustomToolBody): RequestTool {
  const input = format?.type === 'grammar' ? format.grammar : undefined;
  return {
    name,
    ...(description ? { description } : {}),
    parameters: parametersOf(input),
    strict: input !== undefined,
    isCustom: true,
    ...(input && { input }),
  };
}

/** Templates show functions with parameters of JSON, so a tool that takes a text is one with a single string. */
function parametersOf(input: InputGrammar | undefined): Record<string, unknown> {
  const described = input === undefined ? {} : { description: `${INPUT_IS[input.syntax]}\n${input.definition}` };
  return {
    type: 'object',
    properties: { input: { type: 'string', ...described } },
    required: ['input'],
    additionalProperties: false,
  };
}

/** What the model is told of the definition that follows. */
const INPUT_IS: Readonly<Record<InputGrammar['syntax'], string>> = {
  lark: 'A text of this grammar, which is written as for Lark:',
  regex: 'A text that this regular expression matches as a whole:',
};

/** The arguments with which the model called that function. */
export function customArguments(input: string): string {
  return JSON.stringify({ input });
}
