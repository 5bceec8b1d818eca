import { type OutputFormat, THINK } from '../output-format.ts';
import { type CallTags, readTaggedCall } from '../readers/tagged-call.ts';

const TAGS: CallTags = {
  nameEnd: ['>'],
  argumentOpen: '<parameter=',
  argumentNameEnd: [{ text: '>' }],
  argumentClose: '</parameter>',
  argumentEnds: ['\n<parameter=', '\n</function>'],
  close: '</function>',
};

/** Qwen3-Coder, Qwen 3.5, Nemotron 3, Step 3.5: `<function=f><parameter=a>text</parameter></function>`. */
export const qwen3Coder: OutputFormat = {
  name: 'qwen3-coder',
  openings: ['<function='],
  surroundings: ['<tool_call>', '</tool_call>'],
  // Qwen 3.5 now and then calls a tool without an end of its reasoning.
  reasoning: { ...THINK, brokenBy: ['<tool_call>\n<function='] },
  readCalls: (reading) => readTaggedCall(reading, TAGS),
};
