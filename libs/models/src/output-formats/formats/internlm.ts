import { type OutputFormat, THINK } from '../output-format.ts';
import { NAME_AND_ARGUMENTS, readJsonCalls } from '../readers/json-calls.ts';

const KEYS = [{ name: 'name', arguments: 'parameters' }, NAME_AND_ARGUMENTS];

/** InternLM 2 and 3: `<|action_start|><|plugin|>{"name": …, "parameters": {…}}<|action_end|>`. */
export const internlm: OutputFormat = {
  name: 'internlm',
  openings: ['<|action_start|><|plugin|>', '<|action_start|> <|plugin|>'],
  surroundings: ['<|action_end|>'],
  reasoning: THINK,
  readCalls: (reading) => readJsonCalls(reading, KEYS),
};
