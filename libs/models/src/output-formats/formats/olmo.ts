import { type OutputFormat, THINK } from '../output-format.ts';
import { readPythonicLines } from '../readers/pythonic-calls.ts';

/** Olmo 3: `<function_calls>f(a=1)` and further calls on lines of their own, then `</function_calls>`. */
export const olmo: OutputFormat = {
  name: 'olmo',
  openings: ['<function_calls>'],
  surroundings: ['</function_calls>'],
  reasoning: THINK,
  readCalls: readPythonicLines,
};
