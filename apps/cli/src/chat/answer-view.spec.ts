import { expect, it } from 'vitest';
import type { AnswerPart } from './answer-part.ts';
import { AnswerView } from './answer-view.ts';

/** What is written, with `<…>` for dim text and `⌫` for an emptied line; each part comes 100 ms after the one before. */
function written(parts: readonly AnswerPart[], remark: string | null = null, eraseLine = '⌫'): string {
  let text = '';
  let nowMs = 0;
  const style = { dim: (plain: string) => `<${plain}>`, eraseLine };
  const view = new AnswerView({ style, write: (more) => (text += more), now: () => nowMs });
  for (const part of parts) {
    nowMs += 100;
    view.show(part);
  }
  view.end(remark);
  return text;
}

const content = (text: string): AnswerPart => ({ kind: 'content', text });
const usage: AnswerPart = { kind: 'usage', promptTokens: 30, cachedTokens: 16, completionTokens: 3 };

it('an answer is followed by what it took', () => {
  expect(written([content('The '), content('Seine'), content('.'), { kind: 'finish', reason: 'stop' }, usage])).toBe(
    'The Seine.\n<30 + 3 tokens, 16 cached, first after 100 ms, 10.0 tokens/s>\n',
  );
});

it('where it waits stands in one line until the first text comes', () => {
  const parts: AnswerPart[] = [
    { kind: 'queued', position: 3, waitMs: 1_200 },
    { kind: 'queued', position: null, waitMs: null },
    { kind: 'prefill' },
    content('Yes.\n'),
  ];
  expect(written(parts)).toBe(
    '⌫<queued, number 3 in line, about 1.2 s …>⌫<queued …>⌫<reading …>⌫Yes.\n<first after 400 ms>\n',
  );
  // No terminal: nothing that would have to be taken back.
  expect(written(parts, null, '')).toBe('Yes.\n<first after 400 ms>\n');
});

it('reasoning is dim and apart from the answer', () => {
  expect(written([{ kind: 'reasoning', text: 'Rivers…' }, content('The Seine.')])).toBe(
    '<Rivers…>\n\nThe Seine.\n<first after 100 ms>\n',
  );
});

it('an answer that was cut off or stopped says so', () => {
  expect(written([content('The'), { kind: 'finish', reason: 'length' }])).toMatch(/^The\n<.*cut off: no more tokens/);
  expect(written([content('The')], 'stopped')).toBe('The\n<first after 100 ms, stopped>\n');
  expect(written([{ kind: 'prefill' }], 'stopped')).toBe('⌫<reading …>⌫<stopped>\n');
  expect(written([])).toBe('');
});

it('what a terminal would take for commands is not shown', () => {
  expect(written([content('a\u001b[2Jb\u0007\u009bc\td\r\n')])).toBe('a[2Jbc\td\n<first after 100 ms>\n');
});
