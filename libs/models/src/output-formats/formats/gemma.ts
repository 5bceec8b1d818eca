import { MalformedCall } from '../malformed-call.ts';
import type { CallReading, OutputFormat } from '../output-format.ts';
import { readGemmaValue } from '../readers/gemma-value.ts';
import type { Reading } from '../text-source.ts';

const MAX_NAME_LENGTH = 256;

/** Gemma 4: `<|tool_call>call:f{a:<|"|>text<|"|>,n:1}<tool_call|>`, reasoning on a channel of its own. */
export const gemma: OutputFormat = {
  name: 'gemma',
  openings: ['<|tool_call>call:'],
  innerMarks: ['<|"|>'],
  surroundings: ['<tool_call|>'],
  reasoning: {
    open: '<|channel>thought',
    close: '<channel|>',
    empty: ['<|channel>thought\n<channel|>', '<channel|>'],
  },
  readCalls,
};

function* readCalls({ source, sink }: CallReading): Reading {
  const name = yield* source.takeUntil(['{'], MAX_NAME_LENGTH);
  if (name.trim() === '') throw new MalformedCall('a call without a name');
  sink.startCall(name.trim());
  yield* readGemmaValue(source, (text) => sink.argumentText(text));
  sink.endCall();
}
