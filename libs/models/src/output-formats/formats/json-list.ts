import { type OutputFormat, THINK } from '../output-format.ts';
import { NAME_AND_ARGUMENTS, readJsonCalls } from '../readers/json-calls.ts';

/**
 * Families that write the Hermes object or a list of them between other marks: MiniMax M1 and Jamba
 * (`<tool_calls>`), Nemotron Nano 2 (`<TOOLCALL>`), Granite 20B (`<function_call>`), GigaChat 3 (`function call<|role_sep|>`) and 3.1
 * (`<|function_call|>`), Firefunction (`functools`), Phi 4 mini (that, and `<|tool_call|>`), Nemotron Mini (`<toolcall>`), and xLAM and
 * Hammer (a bare list, also in a code fence, `<tool_call>` or behind `[TOOL_CALLS]`).
 */
export const jsonList: OutputFormat = {
  name: 'json-list',
  openings: [
    '<tool_calls>',
    '<TOOLCALL>',
    '<|tool_call|>',
    '<|function_call|>',
    '<function_call>',
    'function call<|role_sep|>',
    'functools[',
    '[TOOL_CALLS]',
    '<tool_call>',
    '<toolcall>',
    '```json',
    '```\n[',
  ],
  surroundings: [
    '</tool_calls>',
    '</TOOLCALL>',
    '</tool_call>',
    '</toolcall>',
    '<|/tool_call|>',
    '```',
    '<|message_sep|>',
    '<SPECIAL_12>',
  ],
  bareStarts: '[',
  reasoning: THINK,
  readCalls: (reading) =>
    readJsonCalls(reading, [NAME_AND_ARGUMENTS], [], reading.opening.endsWith('[') ? 'in-list' : 'before'),
};
