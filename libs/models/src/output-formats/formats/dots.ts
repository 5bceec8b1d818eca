import { type OutputFormat, THINK } from '../output-format.ts';
import { minimax } from './minimax.ts';

/** dots.llm: the calls of MiniMax M2 between marks of its own. */
export const dots: OutputFormat = {
  ...minimax,
  name: 'dots',
  surroundings: ['<dots_function_call>', '</dots_function_call>'],
  reasoning: { ...THINK, brokenBy: ['<dots_function_call>'] },
};
