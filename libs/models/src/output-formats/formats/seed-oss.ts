import type { OutputFormat } from '../output-format.ts';
import { qwen3Coder } from './qwen3-coder.ts';

/** Seed-OSS: the calls of Qwen3-Coder between marks of its own, and a block of reasoning of its own. */
export const seedOss: OutputFormat = {
  ...qwen3Coder,
  name: 'seed-oss',
  surroundings: ['<seed:tool_call>', '</seed:tool_call>'],
  reasoning: { open: '<seed:think>', close: '</seed:think>', brokenBy: ['<seed:tool_call>'] },
};
