import type { OutputFormat } from '../output-format.ts';
import { generic } from './generic.ts';

/** EXAONE Deep: reasoning in `<thought>`; its template knows no tools. */
export const exaoneDeep: OutputFormat = {
  ...generic,
  name: 'exaone-deep',
  reasoning: { open: '<thought>', close: '</thought>' },
};
