import { type CallReading, type OutputFormat, THINK } from '../output-format.ts';
import { NAME_AND_ARGUMENTS, readJsonCalls } from '../readers/json-calls.ts';
import { matchedName, readNamedJsonCall } from '../readers/named-json-call.ts';
import type { Reading } from '../text-source.ts';

const HEAD = /^\s*([^\s[\]]+?)\s*(?:\[CALL_ID\][^[\]]*)?(?:\[ARGS\])?\s*$/;

/** Mistral: `[TOOL_CALLS][{"name": …, "arguments": {…}}]`, and `[TOOL_CALLS]f[ARGS]{…}` since tokenizer version 11. */
export const mistral: OutputFormat = {
  name: 'mistral',
  openings: ['[TOOL_CALLS]'],
  innerMarks: ['[ARGS]', '[CALL_ID]'],
  surroundings: [],
  reasoning: { open: '[THINK]', close: '[/THINK]' },
  readCalls: readMistralCalls,
};

/** The first Magistral: taught in its system message to reason between the marks of other families. */
export const magistral: OutputFormat = { ...mistral, name: 'magistral', reasoning: THINK };

function* readMistralCalls(reading: CallReading): Reading {
  yield* reading.source.skipSpace();
  const unit = yield* reading.source.peek();
  if (unit === '[' || unit === '{') yield* readJsonCalls(reading, [NAME_AND_ARGUMENTS]);
  else yield* readNamedJsonCall(reading, (head) => matchedName(head, HEAD));
}
