import type { CallReading, OutputFormat } from '../output-format.ts';
import { NAME_AND_ARGUMENTS, readJsonCalls } from '../readers/json-calls.ts';
import { type CallTags, readTaggedCall } from '../readers/tagged-call.ts';
import type { Reading } from '../text-source.ts';

const JSON_TYPES = ['number', 'integer', 'boolean', 'null', 'array', 'object'];
const nameEnd = (type: string): string => `</ifm|arg_key><ifm|arg_type>${type}</ifm|arg_type>`;

const TAGS: CallTags = {
  nameEnd: [],
  argumentOpen: '<ifm|arg_key>',
  argumentNameEnd: [
    { text: '</ifm|arg_key>' },
    { text: nameEnd('string'), type: 'string' },
    ...JSON_TYPES.map((type) => ({ text: nameEnd(type), type: 'json' as const })),
  ],
  valueOpen: '<ifm|arg_value>',
  argumentClose: '</ifm|arg_value>',
  isInline: true,
  close: '</ifm|tool_call>',
};
const LIST = '<ifm|tool_calls>';
/** Less effort has marks of its own. */
const QUICKER = ['think_fast', 'think_faster'];

/** K2 Horizon: `<ifm|tool_call>` with the pairs of GLM, which may say their types, or with a Hermes object. */
export const k2Horizon: OutputFormat = {
  name: 'k2-horizon',
  openings: ['<ifm|tool_call>'],
  innerMarks: ['<ifm|arg_key>', '<ifm|arg_value>', TAGS.argumentClose, TAGS.close],
  surroundings: [LIST, '</ifm|tool_calls>', TAGS.close],
  dropped: QUICKER.map((name) => `</ifm|${name}>`),
  reasoning: {
    open: '<ifm|think>',
    close: '</ifm|think>',
    alsoOpenedBy: QUICKER.map((name) => `<ifm|${name}>`),
    endedBy: [LIST, ...QUICKER.map((name) => `</ifm|${name}>`)],
  },
  readCalls,
};

function* readCalls(reading: CallReading): Reading {
  yield* reading.source.skipSpace();
  const isJson = ['{', '['].includes(yield* reading.source.peek());
  yield* isJson ? readJsonCalls(reading, [NAME_AND_ARGUMENTS]) : readTaggedCall(reading, TAGS);
}
