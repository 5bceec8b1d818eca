import type { OutputFormat } from '../output-format.ts';
import { readGemmaCall } from '../readers/gemma-call.ts';

const QUOTE = '<escape>';

/** FunctionGemma: `<start_function_call>call:f{a:<escape>text<escape>,n:1}<end_function_call>`. */
export const functiongemma: OutputFormat = {
  name: 'functiongemma',
  openings: ['<start_function_call>call:'],
  innerMarks: [QUOTE],
  surroundings: ['<end_function_call>'],
  dropsSpace: true,
  readCalls: (reading) => readGemmaCall(reading, QUOTE),
};
