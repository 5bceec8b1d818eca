import type { OutputFormat } from '../output-format.ts';
import { readGemmaCall } from '../readers/gemma-call.ts';

const QUOTE = '<|"|>';

/** Gemma 4: `<|tool_call>call:f{a:<|"|>text<|"|>,n:1}<tool_call|>`, reasoning on a channel of its own. */
export const gemma: OutputFormat = {
  name: 'gemma',
  // Gemma 4 now and then leaves `call` out.
  openings: ['<|tool_call>call:', '<|tool_call>:'],
  innerMarks: [QUOTE],
  surroundings: ['<tool_call|>'],
  dropsSpace: true,
  reasoning: {
    open: '<|channel>thought',
    close: '<channel|>',
    alsoOpenedBy: ['<|channel>'],
    empty: ['<|channel>thought\n<channel|>', '<channel|>'],
  },
  readCalls: (reading) => readGemmaCall(reading, QUOTE),
};
