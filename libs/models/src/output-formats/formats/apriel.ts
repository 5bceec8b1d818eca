import type { OutputFormat } from '../output-format.ts';
import { NAME_AND_ARGUMENTS, readJsonCalls } from '../readers/json-calls.ts';

/** Apriel 1.5 and 1.6: reasoning up to `[BEGIN FINAL RESPONSE]`, then `<tool_calls>[{"name": …, "arguments": {…}}]</tool_calls>`. */
export const apriel: OutputFormat = {
  name: 'apriel',
  openings: ['<tool_calls>'],
  surroundings: ['</tool_calls>'],
  dropped: ['[END FINAL RESPONSE]', '<|end|>'],
  reasoning: { open: 'Here are my reasoning steps:', close: '[BEGIN FINAL RESPONSE]' },
  readCalls: (reading) => readJsonCalls(reading, [NAME_AND_ARGUMENTS]),
};
