import { type OutputFormat, THINK } from '../output-format.ts';
import { NAME_AND_ARGUMENTS, readJsonCalls } from '../readers/json-calls.ts';

/**
 * Families that write the Hermes object or a list of them between other marks: MiniMax M1, Hunyuan and Apriel
 * (`<tool_calls>`), Nemotron Nano 2 (`<TOOLCALL>`), GigaChat 3.1 (`<|function_call|>`), Firefunction (`functools`), and xLAM
 * (a bare list, also in a code fence or `<tool_call>`).
 */
export const jsonList: OutputFormat = {
  name: 'json-list',
  openings: ['<tool_calls>', '<TOOLCALL>', '<|function_call|>', 'functools[', '<tool_call>', '```json'],
  surroundings: ['</tool_calls>', '</TOOLCALL>', '</tool_call>', '```'],
  bareStarts: '[',
  reasoning: THINK,
  readCalls: (reading) =>
    readJsonCalls(reading, [NAME_AND_ARGUMENTS], [], reading.opening.endsWith('[') ? 'in-list' : 'before'),
};
