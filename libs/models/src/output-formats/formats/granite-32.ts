import type { OutputFormat } from '../output-format.ts';
import { granite } from './granite.ts';

/** Granite 3.2: reasoning and answer behind sentences that say which is which. */
export const granite32: OutputFormat = {
  ...granite,
  name: 'granite-3.2',
  reasoning: {
    open: 'Here is my thought process:',
    alsoOpenedBy: ["Here's my thought process:"],
    close: 'Here is my response:',
  },
};
