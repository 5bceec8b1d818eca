import type { OutputFormat } from '../output-format.ts';
import { readElementCall } from '../readers/element-call.ts';

/** Stands before every tag of a call. */
const NAMESPACE = ']<]minimax[>[';

/** MiniMax M3: `<invoke name="f"><a>text</a></invoke>` with objects and lists as elements, each tag behind a token of its own. */
export const minimaxM3: OutputFormat = {
  name: 'minimax-m3',
  openings: [`${NAMESPACE}<invoke name="`],
  innerMarks: [NAMESPACE, `${NAMESPACE}</`, `${NAMESPACE}</invoke>`],
  surroundings: [`${NAMESPACE}<tool_call>`, `${NAMESPACE}</tool_call>`],
  dropped: ['</mm:think>'],
  reasoning: { open: '<mm:think>', close: '</mm:think>' },
  readCalls: (reading) => readElementCall(reading, NAMESPACE),
};
