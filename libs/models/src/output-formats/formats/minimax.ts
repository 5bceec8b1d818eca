import { type OutputFormat, THINK } from '../output-format.ts';
import { type CallTags, readTaggedCall } from '../readers/tagged-call.ts';

const TAGS: CallTags = {
  nameEnd: ['">'],
  argumentOpen: '<parameter name="',
  argumentNameEnd: [{ text: '">' }],
  argumentClose: '</parameter>',
  isInline: true,
  close: '</invoke>',
};

/** MiniMax M2: `<minimax:tool_call><invoke name="f"><parameter name="a">text</parameter></invoke></minimax:tool_call>`. */
export const minimax: OutputFormat = {
  name: 'minimax',
  openings: ['<invoke name="'],
  surroundings: ['<minimax:tool_call>', '</minimax:tool_call>'],
  reasoning: { ...THINK, brokenBy: ['<minimax:tool_call>'] },
  readCalls: (reading) => readTaggedCall(reading, TAGS),
};
