import { PYTHON_SPELLING } from '../spelling.ts';
import type { CallList, CallStyle } from './call-style.ts';

const pythonList = (mark: string, close: string): CallList => ({
  mark,
  open: '[',
  call: { kind: 'pythonic' },
  separator: ',␠',
  close: `]${close}`,
});

/** Families that write calls as Python does. */
export const PYTHONIC_STYLES: Readonly<Record<string, CallStyle>> = {
  pythonic: {
    spelling: PYTHON_SPELLING,
    lists: [
      { ...pythonList('', ''), bare: true },
      pythonList('<|tool_call_start|>', '<|tool_call_end|>'),
      pythonList('<|python_start|>', '<|python_end|>'),
    ],
  },
  olmo: {
    spelling: PYTHON_SPELLING,
    lists: [
      {
        mark: '<function_calls>',
        open: '␤',
        call: { kind: 'pythonic' },
        separator: '\n',
        close: '␤</function_calls>',
      },
    ],
  },
};
