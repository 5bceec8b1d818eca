import { type OutputFormat, THINK } from '../output-format.ts';
import { readPythonicCalls } from '../readers/pythonic-calls.ts';

/** Llama 3.2 and 4, ToolACE, LFM2: `[f(a=1), g(b='x')]` as the whole answer or between the family's marks. */
export const pythonic: OutputFormat = {
  name: 'pythonic',
  openings: ['<|python_start|>', '<|tool_call_start|>'],
  surroundings: ['<|python_end|>', '<|tool_call_end|>'],
  bareStarts: '[',
  reasoning: THINK,
  readCalls: readPythonicCalls,
};
