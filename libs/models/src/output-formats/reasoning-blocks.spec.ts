import { describe, expect, it } from 'vitest';
import { OUTPUT_FORMATS } from './choose-format.ts';
import { reasoningStart } from './output-parser.ts';
import { WRITERS } from './testing/format-writers.ts';
import { parse } from './testing/parse-answer.ts';

describe('blocks of reasoning', () => {
  it('tells reasoning apart, opened by the model or by the prompt, and finds no call inside it', () => {
    const thought = 'I <tool_call>{"name": "look_up"}</tool_call> think\n\n</think>\n\nYes <think> no </think>';
    const expected = {
      content: 'Yes <think> no </think>',
      reasoning: 'I <tool_call>{"name": "look_up"}</tool_call> think',
      calls: [],
    };
    const format = OUTPUT_FORMATS.get('hermes')!;
    expect(parse('hermes', `<think>\n${thought}`.split(''))).toEqual(expected);
    expect(parse('hermes', thought.split(''), { reasoning: reasoningStart('assistant\n<think>\n', format) })).toEqual(
      expected,
    );
    expect(reasoningStart('<think>\n\n</think>\n\n', format)).toBe('marked');
    expect(parse('hermes', ['<think>cut off']).reasoning).toBe('cut off');
    expect(parse('hermes', ['<think>a</think>b'], { reasoning: 'off' }).content).toBe('<think>a</think>b');
  });

  it('drops the marks around an answer behind reasoning, and only there', () => {
    const thought = '<think>Hm.</think>\n';
    for (const [name, open, close] of [
      ['granite', '<response>', '</response>'],
      ['hunyuan', '<answer>', '</answer>'],
    ] as const) {
      const said = `${thought}${open}\nYes.\n${close}`;
      const expected = { content: 'Yes.\n', reasoning: 'Hm.', calls: [] };
      expect(parse(name, [said])).toEqual(expected);
      expect(parse(name, said.split(''), { tools: null })).toEqual(expected);
      for (const other of [`${open}Yes.${close}`, `So ${open}Yes.${close}`])
        expect(parse(name, [other]).content).toBe(other);
      expect(parse('hermes', [thought + open + close]).content).toBe(open + close);
    }
  });

  it('finds reasoning by whatever opens it', () => {
    const gemma = (said: string) => parse('gemma', said.split(''));
    expect(gemma('<|channel>thousand reasons<channel|>Done')).toMatchObject({
      reasoning: 'thousand reasons',
      content: 'Done',
    });
    expect(gemma('<|channel><|channel>thought\n<channel|>Done')).toMatchObject({ reasoning: '', content: 'Done' });
    expect(gemma('<|channel>thought\nHm')).toMatchObject({ reasoning: 'Hm', content: '' });
    for (const open of ['Here is my thought process:', "Here's my thought process:"]) {
      const { reasoning, content: rest } = parse('granite-3.2', `${open} Hm.\nHere is my response: So.`.split(''));
      expect([reasoning, rest]).toEqual(['Hm.', 'So.']);
    }
  });

  it('takes a call in reasoning that never ends for a call, and one in reasoning that ends for reasoning', () => {
    const called = '<tool_call>\n<function=look_up>\n<parameter=text>\na\n</parameter>\n</function>\n</tool_call>';
    const calls = [{ name: 'look_up', arguments: '{"text":"a"}' }];
    for (const cutting of [(said: string) => [said], (said: string) => said.split('')]) {
      const read = (said: string) => parse('qwen3-coder', cutting(said), { reasoning: 'opened' });
      expect(read(`So I look.\n${called}`)).toMatchObject({ reasoning: 'So I look.', content: '', calls });
      const quoted = read(`I could ${called}\n</think>\n\n${called}`);
      expect(quoted).toMatchObject({ reasoning: `I could ${called}`, content: '', calls });
      expect(quoted.calls).toHaveLength(1);
    }
    const dsml =
      'So.\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name="look_up">\n<｜DSML｜parameter name="text" string="true">a</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>';
    expect(parse('deepseek-dsml', [dsml], { reasoning: 'opened' })).toMatchObject({
      reasoning: 'So.',
      content: '',
      calls,
    });
  });

  it.each(['hermes', 'glm', 'iquest', 'hunyuan', 'minimax', 'dots', 'deepseek', 'kimi', 'seed-oss', 'deepseek-dsml'])(
    'goes on with the call that breaks the reasoning of %s off, and keeps one that it quotes',
    (name) => {
      const called = WRITERS[name]!({ content: '', calls: [{ name: 'look_up', args: { text: 'a' } }] }).trimStart();
      const format = OUTPUT_FORMATS.get(name)!;
      const read = (said: string) => parse(name, said.split(''), { reasoning: 'opened' });
      expect(read(`So I look.\n${called}`)).toMatchObject({
        reasoning: 'So I look.',
        content: '',
        calls: [{ name: 'look_up', arguments: '{"text":"a"}' }],
      });
      if (format.reasoning!.endedBy !== undefined) return;
      expect(read(`I could ${called}\n${format.reasoning!.close}Yes.`)).toEqual({
        reasoning: `I could ${called}`,
        content: 'Yes.',
        calls: [],
      });
    },
  );
});
