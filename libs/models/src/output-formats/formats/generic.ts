import type { OutputFormat } from '../output-format.ts';
import { hermes } from './hermes.ts';

/**
 * Models whose template knows no tools: what `generic-tool-prompt.ts` asks them to write, which is the Hermes form.
 */
export const generic: OutputFormat = { ...hermes, name: 'generic' };
