import { type OutputFormat, THINK } from '../output-format.ts';
import { matchedName, readNamedJsonCall } from '../readers/named-json-call.ts';

const HEAD = /^\s*(?:functions\.)?([^<]+?)(?::\d+)?\s*<\|tool_call_argument_begin\|>\s*$/;

/** Kimi K2: `<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{…}<|tool_call_end|>`. */
export const kimi: OutputFormat = {
  name: 'kimi',
  openings: ['<|tool_call_begin|>'],
  innerMarks: ['<|tool_call_argument_begin|>'],
  surroundings: ['<|tool_calls_section_begin|>', '<|tool_calls_section_end|>', '<|tool_call_end|>'],
  reasoning: { ...THINK, endedBy: ['<|tool_calls_section_begin|>', '<|tool_call_begin|>'] },
  readCalls: (reading) => readNamedJsonCall(reading, (head) => matchedName(head, HEAD)),
};
