import { type OutputFormat, THINK } from '../output-format.ts';
import { NAME_AND_ARGUMENTS, readJsonCalls } from '../readers/json-calls.ts';

/** Hermes 2/3, Qwen 2.5, Qwen 3, Reka and others: `<tool_call>{"name": …, "arguments": {…}}</tool_call>`. */
export const hermes: OutputFormat = {
  name: 'hermes',
  openings: ['<tool_call>'],
  surroundings: ['</tool_call>'],
  // Qwen 3 now and then calls a tool without an end of its reasoning.
  reasoning: { ...THINK, brokenBy: ['<tool_call>\n{', '<tool_call>{'] },
  readCalls: (reading) => readJsonCalls(reading, [NAME_AND_ARGUMENTS]),
};
