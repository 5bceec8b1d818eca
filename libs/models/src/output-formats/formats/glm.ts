import { type OutputFormat, THINK } from '../output-format.ts';
import { type CallTags, readTaggedCall } from '../readers/tagged-call.ts';

const TAGS: CallTags = {
  nameEnd: ['<tool_sep>'],
  argumentOpen: '<arg_key>',
  argumentNameEnd: [{ text: '</arg_key>' }],
  valueOpen: '<arg_value>',
  argumentClose: '</arg_value>',
  isInline: true,
  close: '</tool_call>',
};

/**
 * GLM 4.5 to 4.7, Ling 3, Laguna: `<tool_call>f<arg_key>a</arg_key><arg_value>text</arg_value></tool_call>`; Hunyuan 3's preview
 * writes `<tool_sep>` behind the name and `<tool_calls>` around.
 */
export const glm: OutputFormat = {
  name: 'glm',
  openings: ['<tool_call>'],
  surroundings: ['<tool_calls>', '</tool_calls>'],
  dropped: ['<|role_end|>'],
  dropsSpace: true,
  reasoning: { ...THINK, brokenBy: ['<tool_call>'] },
  readCalls: (reading) => readTaggedCall(reading, TAGS),
};

const IQUEST_TAGS: CallTags = { ...TAGS, close: '</iquest_tool_call>' };

/** IQuest: the calls of GLM between marks of its own. */
export const iquest: OutputFormat = {
  ...glm,
  name: 'iquest',
  openings: ['<iquest_tool_call>'],
  surroundings: [],
  reasoning: { ...THINK, brokenBy: ['<iquest_tool_call>'] },
  readCalls: (reading) => readTaggedCall(reading, IQUEST_TAGS),
};
