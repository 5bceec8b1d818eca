import { type OutputFormat, THINK } from '../output-format.ts';
import { type CallTags, readTaggedCall } from '../readers/tagged-call.ts';

const TAGS: CallTags = {
  nameEnd: ['">'],
  argumentOpen: '<｜DSML｜parameter name="',
  argumentNameEnd: [
    { text: '" string="true">', type: 'string' },
    { text: '" string="false">', type: 'json' },
  ],
  argumentClose: '</｜DSML｜parameter>',
  isInline: true,
  close: '</｜DSML｜invoke>',
};

const LISTS = ['<｜DSML｜function_calls>', '<｜DSML｜tool_calls>'];

/** DeepSeek V3.2 (`function_calls`) and V4 (`tool_calls`): tags that say of each argument whether it is a string. */
export const deepseekDsml: OutputFormat = {
  name: 'deepseek-dsml',
  openings: ['<｜DSML｜invoke name="'],
  innerMarks: [TAGS.argumentOpen, TAGS.argumentClose, TAGS.close],
  surroundings: [...LISTS, '</｜DSML｜function_calls>', '</｜DSML｜tool_calls>'],
  reasoning: { ...THINK, endedBy: LISTS },
  readCalls: (reading) => readTaggedCall(reading, TAGS),
};
