import type { ToolDefinition } from './tool-set.ts';

/**
 * The section of the system prompt that teaches tools to a model whose chat template knows none. Its calls are in the form
 * that `generic` reads, and that token masks enforce (`grammar/calls/`).
 */
export function genericToolPrompt(tools: readonly ToolDefinition[]): string {
  const lines = tools.map(({ name, description, parameters }) =>
    JSON.stringify({ name, description, parameters: parameters ?? { type: 'object', properties: {} } }),
  );
  return [
    'You can call these functions. Each line describes one, with the JSON schema of its arguments:',
    ...lines,
    '',
    'To call a function, answer with one line like this for each call, and nothing after the last one:',
    '<tool_call>{"name": "function-name", "arguments": {"argument-name": "value"}}</tool_call>',
    'The results come in the next message between <tool_response> and </tool_response>. Answer without a call when no ' +
      'function is needed.',
  ].join('\n');
}

/** A call of an earlier turn, as the model wrote it. */
export function genericCallText(name: string, argumentsJson: string): string {
  return `<tool_call>{"name": ${JSON.stringify(name)}, "arguments": ${argumentsJson}}</tool_call>`;
}

/** A tool's result, as a user turn's content. */
export function genericResultText(content: string): string {
  return `<tool_response>\n${content}\n</tool_response>`;
}
