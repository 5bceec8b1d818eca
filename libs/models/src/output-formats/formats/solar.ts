import type { OutputFormat } from '../output-format.ts';
import { readNamedJsonCall } from '../readers/named-json-call.ts';

const HEAD = /^[^<]*<\|tool_call:name\|>([^<]+)<\|tool_call:args\|>\s*$/;

/** Solar Open: `<|tool_call:begin|>id<|tool_call:name|>f<|tool_call:args|>{…}<|tool_call:end|>`, reasoning as a message of its own. */
export const solar: OutputFormat = {
  name: 'solar',
  openings: ['<|tool_call:begin|>'],
  innerMarks: ['<|tool_call:name|>', '<|tool_call:args|>'],
  surroundings: ['<|begin|>assistant<|tool_calls|>', '<|tool_calls|>', '<|tool_call:end|>', '<|calls|>'],
  dropped: ['<|begin|>assistant<|content|>', '<|content|>', '<|end|>'],
  reasoning: { open: '<|think|>', close: '<|end|>' },
  readCalls: (reading) => readNamedJsonCall(reading, (head) => HEAD.exec(head)?.[1]?.trim() || null),
};
