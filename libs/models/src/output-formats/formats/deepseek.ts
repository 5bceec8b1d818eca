import { type OutputFormat, THINK } from '../output-format.ts';
import { readNamedJsonCall } from '../readers/named-json-call.ts';

const SEPARATOR = '<｜tool▁sep｜>';

/**
 * DeepSeek V3, R1 (`<｜tool▁call▁begin｜>function<｜tool▁sep｜>f`, then a code fence) and V3.1
 * (`<｜tool▁call▁begin｜>f<｜tool▁sep｜>{…}`).
 */
export const deepseek: OutputFormat = {
  name: 'deepseek',
  openings: ['<｜tool▁call▁begin｜>'],
  innerMarks: [SEPARATOR],
  surroundings: ['<｜tool▁calls▁begin｜>', '<｜tool▁calls▁end｜>', '<｜tool▁call▁end｜>'],
  reasoning: { ...THINK, brokenBy: ['<｜tool▁calls▁begin｜>'] },
  readCalls: (reading) => readNamedJsonCall(reading, nameOf),
};

function nameOf(head: string): string | null {
  if (!head.includes(SEPARATOR)) return null;
  const [first = '', second = ''] = head.split(SEPARATOR, 2).map((part) => part.trim());
  return second || first || null;
}
