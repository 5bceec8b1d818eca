import { type OutputFormat, THINK } from '../output-format.ts';
import { NAME_AND_ARGUMENTS, readJsonCalls } from '../readers/json-calls.ts';

/** Granite 3.0 to 3.3: a list of Hermes objects behind `<|tool_call|>`; behind reasoning, the answer is in `<response>`. */
export const granite: OutputFormat = {
  name: 'granite',
  openings: ['<|tool_call|>', '<tool_call>'],
  surroundings: ['</tool_call>'],
  reasoning: { ...THINK, wrapper: { open: '<response>', close: '</response>' } },
  readCalls: (reading) => readJsonCalls(reading, [NAME_AND_ARGUMENTS]),
};
