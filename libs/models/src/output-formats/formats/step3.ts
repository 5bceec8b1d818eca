import { type OutputFormat, THINK } from '../output-format.ts';
import { type CallTags, readTaggedCall } from '../readers/tagged-call.ts';

const TAGS: CallTags = {
  nameEnd: ['">'],
  argumentOpen: '<steptml:parameter name="',
  argumentNameEnd: [{ text: '">' }],
  argumentClose: '</steptml:parameter>',
  isInline: true,
  close: '</steptml:invoke>',
};

/** Step 3: `<steptml:invoke name="f"><steptml:parameter name="a">text</steptml:parameter></steptml:invoke>` between marks. */
export const step3: OutputFormat = {
  name: 'step3',
  openings: ['<steptml:invoke name="'],
  surroundings: [
    '<｜tool_calls_begin｜>',
    '<｜tool_calls_end｜>',
    '<｜tool_call_begin｜>function<｜tool_sep｜>',
    '<｜tool_call_begin｜>',
    '<｜tool_call_end｜>',
    '<｜tool_sep｜>',
  ],
  reasoning: THINK,
  readCalls: (reading) => readTaggedCall(reading, TAGS),
};
