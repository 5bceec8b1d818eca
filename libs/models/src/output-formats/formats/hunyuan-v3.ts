import { type OutputFormat, THINK } from '../output-format.ts';
import { type CallTags, readTaggedCall } from '../readers/tagged-call.ts';

/** Ends the name of every mark. */
const SUFFIX = ':opensource';

const TAGS: CallTags = {
  nameEnd: [`<tool_sep${SUFFIX}>`],
  argumentOpen: `<arg_key${SUFFIX}>`,
  argumentNameEnd: [{ text: `</arg_key${SUFFIX}>` }],
  valueOpen: `<arg_value${SUFFIX}>`,
  argumentClose: `</arg_value${SUFFIX}>`,
  isInline: true,
  close: `</tool_call${SUFFIX}>`,
};

/** Hunyuan 3: the calls of GLM in marks whose names end in `:opensource`; its preview wrote them without (`glm`). */
export const hunyuanV3: OutputFormat = {
  name: 'hunyuan-v3',
  openings: [`<tool_call${SUFFIX}>`],
  innerMarks: [...TAGS.nameEnd, TAGS.argumentOpen, `</arg_key${SUFFIX}>`, `<arg_value${SUFFIX}>`, TAGS.argumentClose],
  surroundings: [`<tool_calls${SUFFIX}>`, `</tool_calls${SUFFIX}>`, TAGS.close],
  reasoning: {
    open: THINK.open.replace('>', `${SUFFIX}>`),
    close: THINK.close.replace('>', `${SUFFIX}>`),
    isBuilt: true,
  },
  readCalls: (reading) => readTaggedCall(reading, TAGS),
};
