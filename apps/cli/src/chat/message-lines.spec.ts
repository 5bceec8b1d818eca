import { expect, it } from 'vitest';
import { MessageLines } from './message-lines.ts';

/** The messages that typed lines make. */
function messages(...typed: string[]): string[] {
  const lines = new MessageLines();
  return typed.map((line) => lines.add(line)).filter((message) => message !== null);
}

it('a line is a message', () => {
  expect(messages('Hello', '', 'How are you?')).toEqual(['Hello', '', 'How are you?']);
});

it('lines that end with a backslash go on', () => {
  expect(messages('one\\', ' two\\', '', 'three')).toEqual(['one\n two\n', 'three']);
});

it('quotes hold several lines, in lines of their own or not', () => {
  expect(messages('"""one', '', 'two"""', 'three')).toEqual(['one\n\ntwo', 'three']);
  expect(messages('"""', 'one \\', '  two', '"""')).toEqual(['one \\\n  two']);
  expect(messages('"""one"""')).toEqual(['one']);
  expect(messages('say """ to me')).toEqual(['say """ to me']);
});

it('quotes hold the lines of a command', () => {
  expect(messages('/system """', 'Be brief.', 'Be kind.', '"""')).toEqual(['/system Be brief.\nBe kind.']);
});

it('what was begun can be dropped', () => {
  const lines = new MessageLines();
  lines.add('"""one');
  expect(lines.open).toBe(true);
  lines.drop();
  expect([lines.open, lines.add('two')]).toEqual([false, 'two']);
});
