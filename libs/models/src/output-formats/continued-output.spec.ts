import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callIds } from './call-ids.ts';
import { OUTPUT_FORMATS } from './choose-format.ts';
import { ContinuedOutput, standingBehind } from './continued-output.ts';
import { joinEvents } from './output-event.ts';
import { OutputParser, type OutputParserOptions } from './output-parser.ts';
import { WITHOUT_CONTENT, WRITERS } from './testing/format-writers.ts';
import { TOOLS } from './testing/parse-answer.ts';

const FORMATS = Object.keys(WRITERS);

function optionsOf(name: string, change: Partial<OutputParserOptions> = {}): OutputParserOptions {
  const format = OUTPUT_FORMATS.get(name)!;
  return { format, tools: TOOLS, reasoning: 'marked', callId: callIds('r', 0), wholeCalls: true, ...change };
}

function told(options: OutputParserOptions, begun: string, pieces: readonly string[]) {
  const output = new ContinuedOutput(options, begun);
  return joinEvents([...pieces.flatMap((piece) => output.push(piece)), ...output.finish()]);
}

function read(options: OutputParserOptions, text: string, isOver = true) {
  const parser = new OutputParser(options);
  return joinEvents([...parser.push(text), ...(isOver ? parser.finish() : [])]);
}

/** An answer with reasoning where the format has it, content, and calls. */
function answerOf(name: string): string {
  const block = OUTPUT_FORMATS.get(name)?.reasoning;
  const reasoning = block === undefined ? '' : `${block.open}\nHm < that </thi is it.\n${block.close}\n\n`;
  const content = WITHOUT_CONTENT.includes(name) ? '' : 'So < I {look} <tool it\n\nup.';
  const calls = [
    { name: 'look_up', args: { text: 'a < b', value: [1, { c: 'd' }] } },
    { name: 'sum-2', args: { unit: 'a' } },
  ];
  return reasoning + WRITERS[name]!({ content, calls });
}

describe('ContinuedOutput', () => {
  it.each(FORMATS)('tells what is new, wherever the prompt ends in the answer: %s', (name) => {
    const options = optionsOf(name);
    const answer = answerOf(name);
    const whole = read(options, answer);
    for (let length = 0; length <= answer.length; length++) {
      const [begun, rest] = [answer.slice(0, length), answer.slice(length)];
      const before = read(options, begun, false);
      const after = told(options, begun, [rest]);
      expect(whole.content.endsWith(after.content), `${begun}|`).toBe(true);
      expect(whole.reasoning.endsWith(after.reasoning), `${begun}|`).toBe(true);
      // What was told before, what is told now, and between them nothing but what was held.
      const held = whole.content.slice(before.content.length, whole.content.length - after.content.length);
      expect(begun.trimEnd().endsWith(held.trimEnd()) || held.trim() === '', `${begun}|`).toBe(true);
      expect([before.calls.length, after.calls].flat(), `${begun}|`).toEqual(
        [before.calls.length, whole.calls.slice(before.calls.length)].flat(),
      );
      expect(told(options, begun, [...rest]), `${begun}|`).toEqual(after);
    }
  });

  it.each(FORMATS)('tells each character behind a text once, though its end may be a mark: %s', (name) => {
    fc.assert(
      fc.property(
        fc.constantFrom('Yes', 'Yes <', 'Yes \n', 'Yes [', 'Yes <tool', 'Yes <|', 'Yes `'),
        fc.stringMatching(/^[A-Za-z][a-z ]{0,5}[a-z]$/),
        (begun, rest) => {
          expect(told(optionsOf(name), begun, [...rest]).content).toBe(rest);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('goes on inside reasoning that the prompt has begun, with the blank before the next word', () => {
    const options = optionsOf('hermes');
    expect(told(options, '<think>\nLet me', [' see', '.\n', '</think>', '\n\nYes.'])).toEqual({
      reasoning: ' see.',
      content: 'Yes.',
      calls: [],
    });
    expect(told(options, '<think>\nLet me </thi', ['nk>No.'])).toEqual({ reasoning: '', content: 'No.', calls: [] });
    expect(told(options, '<think>\nLet me </thi', ['s.'])).toMatchObject({ reasoning: 's.', content: '' });
    expect(told(options, 'Let me \n', ['\nsee'])).toMatchObject({ content: '\nsee' });
  });

  it('tells a call whole that the prompt has begun, and only the new text of one that is none', () => {
    const begun = 'So:\n<tool_call>\n{"name": "look_up", "argu';
    const call = { name: 'look_up', arguments: '{"text": "a"}', complete: true };
    expect(told(optionsOf('hermes'), begun, ['ments": {"text": "a"}}', '\n</tool_call>'])).toMatchObject({
      content: '',
      calls: [call],
    });
    expect(told(optionsOf('hermes'), begun, [', no.'])).toEqual({ content: ', no.', reasoning: '', calls: [] });
  });

  it('counts the calls of the answer from 0', () => {
    const begun = '<tool_call>\n{"name": "sum-2", "arguments": {}}\n</tool_call>';
    const output = new ContinuedOutput(optionsOf('hermes'), begun);
    const events = output.push('\n<tool_call>\n{"name": "look_up", "arguments": {}}\n</tool_call>');
    expect(events).toMatchObject([
      { type: 'call-start', index: 0, name: 'look_up' },
      { type: 'call-arguments', index: 0 },
      { type: 'call-end', index: 0, complete: true },
    ]);
  });

  it('begins the content with what is new where a whole block of reasoning was there before', () => {
    expect(told(optionsOf('hermes'), '<think>\n\n</think>\n\nThe answer', [' is <think>.'])).toEqual({
      content: ' is <think>.',
      reasoning: '',
      calls: [],
    });
  });
});

describe('standingBehind', () => {
  it.each([
    ['', 'marked', false],
    [' \n', 'marked', false],
    ['Yes, ', 'closed', false],
    ['<think>\nLet me ', 'opened', false],
    ['<think>\nLet me </th', 'opened', true],
    ['<think>\n\n</think>\n\n', 'closed', false],
    ['<thi', 'closed', true],
    ['Yes <tool_', 'closed', true],
    ['<tool_call>\n{"name": ', 'closed', true],
    ['<tool_call>\n{"name": "sum-2", "arguments": {}}\n</tool_call>', 'closed', false],
  ])('knows of %j where an answer stands', (begun, reasoning, isCut) => {
    expect(standingBehind(optionsOf('hermes'), begun)).toEqual({ reasoning, isCut });
  });

  it('knows where a prompt has opened the reasoning', () => {
    const options = optionsOf('hermes', { reasoning: 'opened' });
    expect(standingBehind(options, 'Let me')).toEqual({ reasoning: 'opened', isCut: false });
    expect(standingBehind(options, 'Fine.\n</think>\n\n')).toEqual({ reasoning: 'closed', isCut: false });
  });
});
