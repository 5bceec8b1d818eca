import { type OutputFormat, THINK } from '../output-format.ts';
import { NAME_AND_ARGUMENTS, readJsonCalls } from '../readers/json-calls.ts';

/** Hunyuan A13B and its smaller kin: `<tool_calls>[…]</tool_calls>`; behind reasoning, the answer is in `<answer>`. */
export const hunyuan: OutputFormat = {
  name: 'hunyuan',
  openings: ['<tool_calls>', '<tool_call>'],
  surroundings: ['</tool_calls>', '</tool_call>'],
  reasoning: { ...THINK, brokenBy: ['<tool_calls>'], wrapper: { open: '<answer>', close: '</answer>' } },
  readCalls: (reading) => readJsonCalls(reading, [NAME_AND_ARGUMENTS]),
};
