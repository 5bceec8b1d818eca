import type { OutputFormat } from '../output-format.ts';
import { matchedName, readNamedJsonCall } from '../readers/named-json-call.ts';

const HEAD = /^([^<>]+)>\s*$/;

/** Functionary 3.1 and Llama 3.1 with custom tools: `<function=f>{…}</function>`. */
export const functionary: OutputFormat = {
  name: 'functionary',
  openings: ['<function='],
  surroundings: ['</function>'],
  readCalls: (reading) => readNamedJsonCall(reading, (head) => matchedName(head, HEAD)),
};
