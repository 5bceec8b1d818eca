import { z } from 'zod';
import type { RequestTool } from '../../generate/tool-use.ts';
import { cacheControl } from './cache-control.ts';
import { toolDescription, toolName } from './tool-name.ts';

/** Templates show functions with parameters of JSON, so a tool that takes a text is one with a single string. */
const PARAMETERS = {
  type: 'object',
  properties: { input: { type: 'string' } },
  required: ['input'],
  additionalProperties: false,
};

/** OpenAI's tool that takes a text, and no JSON. */
export const CustomTool = z.strictObject({
  type: z.literal('custom'),
  custom: z.strictObject({
    name: toolName,
    description: toolDescription,
    format: z
      .strictObject({ type: z.literal('text') })
      .nullish()
      .describe('Default text: any.'),
  }),
  cache_control: cacheControl,
});

/** The function that the model is shown, whose calls are told as a custom tool's. */
export function customRequestTool({ custom: { name, description } }: z.infer<typeof CustomTool>): RequestTool {
  return { name, ...(description ? { description } : {}), parameters: PARAMETERS, strict: false, isCustom: true };
}

/** The arguments with which the model called that function. */
export function customArguments(input: string): string {
  return JSON.stringify({ input });
}
