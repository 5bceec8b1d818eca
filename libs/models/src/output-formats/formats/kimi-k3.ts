import type { OutputFormat } from '../output-format.ts';
import { type CallTags, readTaggedCall } from '../readers/tagged-call.ts';

const JSON_TYPES = ['number', 'integer', 'boolean', 'null', 'array', 'object'];

const TAGS: CallTags = {
  nameEnd: ['" index="'],
  headEnd: '<|sep|>',
  argumentOpen: '<|open|>argument key="',
  argumentNameEnd: [
    { text: '" type="string"<|sep|>', type: 'string' },
    ...JSON_TYPES.map((type) => ({ text: `" type="${type}"<|sep|>`, type: 'json' as const })),
  ],
  argumentClose: '<|close|>argument<|sep|>',
  isExact: true,
  close: '<|close|>call<|sep|>',
};

/**
 * Kimi K3: `<|open|>call tool="f" index="1"<|sep|>`, arguments that say their types, and elements of the same kind around
 * reasoning, answer and calls.
 */
export const kimiK3: OutputFormat = {
  name: 'kimi-k3',
  openings: ['<|open|>call tool="'],
  innerMarks: ['<|open|>', '<|close|>', '<|sep|>', TAGS.argumentOpen, TAGS.argumentClose, TAGS.close],
  surroundings: ['<|open|>tools<|sep|>', '<|close|>tools<|sep|>'],
  dropped: ['<|open|>response<|sep|>', '<|close|>response<|sep|>', '<|close|>message<|sep|>'],
  reasoning: { open: '<|open|>think<|sep|>', close: '<|close|>think<|sep|>', isBuilt: true },
  readCalls: (reading) => readTaggedCall(reading, TAGS),
};
