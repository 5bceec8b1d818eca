import type { OutputFormat } from '../output-format.ts';
import { readKeyedCalls } from '../readers/keyed-calls.ts';

/** Apertus: `<|tools_prefix|>[{"f": {…}}]<|tools_suffix|>`, thoughts between marks of their own. */
export const apertus: OutputFormat = {
  name: 'apertus',
  openings: ['<|tools_prefix|>'],
  surroundings: ['<|tools_suffix|>'],
  dropsSpace: true,
  reasoning: { open: '<|inner_prefix|>', close: '<|inner_suffix|>' },
  readCalls: readKeyedCalls,
};
