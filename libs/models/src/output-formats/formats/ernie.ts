import { type OutputFormat, THINK } from '../output-format.ts';
import { hermes } from './hermes.ts';

/** ERNIE 4.5 with reasoning: the Hermes form, and the answer in `<response>` behind reasoning. */
export const ernie: OutputFormat = {
  ...hermes,
  name: 'ernie',
  reasoning: { ...THINK, wrapper: { open: '<response>', close: '</response>' } },
};
