import { describe, expect, it } from 'vitest';
import { callIds } from './call-ids.ts';
import { OUTPUT_FORMATS } from './choose-format.ts';
import { withLooseCalls } from './loose-hermes.ts';
import { joinEvents, type ParsedOutput } from './output-event.ts';
import { OutputParser } from './output-parser.ts';
import { TOOLS } from './testing/parse-answer.ts';

const OBJECT = '{"name": "look_up", "arguments": {"text": "a"}}';

function read(said: string, name = 'hermes'): ParsedOutput {
  const format = withLooseCalls(OUTPUT_FORMATS.get(name)!);
  const options = { format, tools: TOOLS, reasoning: 'marked', wholeCalls: true, callId: callIds('r', 0) } as const;
  const [whole, parts] = [[said], said.split('')].map((pieces) => {
    const parser = new OutputParser(options);
    return joinEvents([...pieces.flatMap((piece) => parser.push(piece)), ...parser.finish()]);
  });
  expect(parts).toEqual(whole);
  return whole!;
}

describe('calls in the Hermes form where nothing holds a model to it', () => {
  it.each([
    ['', OBJECT],
    ['', `<think>Hm.</think>\n\n${OBJECT}`],
    ['', `\`\`\`json\n${OBJECT}\n\`\`\``],
    ['So I look.', `So I look.\n\`\`\`json\n${OBJECT}\n\`\`\`\n`],
    ['So.', `So.\n<tools>\n${OBJECT}\n</tools>`],
    ['', `<tool_call>\n${OBJECT}\n</tool_call>`],
  ])('are found beside the content "%s": %s', (content, said) => {
    for (const name of ['hermes', 'generic']) {
      expect(read(said, name)).toMatchObject({ content, calls: [{ name: 'look_up', arguments: '{"text": "a"}' }] });
    }
  });

  it.each([
    '{"answer": 1}',
    '{"name": "Bob", "arguments": {}}',
    '```json\n{"name": "Bob"}\n',
    '```json\n[1, 2]\n```\nand `{"name": "look_up"}`',
    '<tools>none</tools>',
    `It is ${OBJECT}.`,
  ])('leave what is no call of a tool as it stands: %s', (said) => {
    const { content, calls } = read(said);
    expect([content, calls]).toEqual([said, []]);
  });

  it('keep the code that follows a call', () => {
    expect(read(`${OBJECT}\n\`\`\`python\nx\n\`\`\``)).toMatchObject({ content: '```python\nx\n```', calls: [{}] });
  });

  it('are those of the Hermes form alone', () => {
    expect(withLooseCalls(OUTPUT_FORMATS.get('glm')!)).toBe(OUTPUT_FORMATS.get('glm'));
  });
});
