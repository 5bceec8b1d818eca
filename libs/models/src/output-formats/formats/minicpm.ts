import { type OutputFormat, THINK } from '../output-format.ts';
import { type CallTags, readTaggedCall } from '../readers/tagged-call.ts';

const TAGS: CallTags = {
  nameEnd: ['">'],
  argumentOpen: '<param name="',
  argumentNameEnd: [{ text: '">' }],
  argumentClose: '</param>',
  isInline: true,
  quote: { open: '<![CDATA[', close: ']]>' },
  close: '</function>',
};

/** MiniCPM 5: `<function name="f"><param name="a">text</param></function>`, with texts that hold marks as CDATA. */
export const minicpm: OutputFormat = {
  name: 'minicpm',
  openings: ['<function name="'],
  surroundings: [],
  reasoning: THINK,
  readCalls: (reading) => readTaggedCall(reading, TAGS),
};
