import { type OutputFormat, THINK } from '../output-format.ts';
import { NAME_AND_ARGUMENTS, readJsonCalls } from '../readers/json-calls.ts';

const KEYS = [{ name: 'name', arguments: 'parameters' }, NAME_AND_ARGUMENTS];

/**
 * Llama 3.1 to 3.3: the whole answer is `{"name": …, "parameters": {…}}`, or such an object behind `<|python_tag|>`; Llama 4 where its
 * template asks for JSON: behind `<|python_start|>`.
 */
export const llama3Json: OutputFormat = {
  name: 'llama3-json',
  openings: ['<|python_tag|>', '<|python_start|>'],
  surroundings: ['<|eom_id|>', '<|python_end|>'],
  bareStarts: '{',
  reasoning: THINK,
  readCalls: (reading) => readJsonCalls(reading, KEYS, [';']),
};
