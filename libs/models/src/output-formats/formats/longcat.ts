import type { OutputFormat } from '../output-format.ts';
import { NAME_AND_ARGUMENTS, readJsonCalls } from '../readers/json-calls.ts';

/** LongCat Flash: the Hermes form between marks of its own. */
export const longcat: OutputFormat = {
  name: 'longcat',
  openings: ['<longcat_tool_call>'],
  surroundings: ['</longcat_tool_call>'],
  reasoning: { open: '<longcat_think>', close: '</longcat_think>' },
  readCalls: (reading) => readJsonCalls(reading, [NAME_AND_ARGUMENTS]),
};
