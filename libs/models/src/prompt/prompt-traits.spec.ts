import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import { OutputParser } from '../output-formats/output-parser.ts';
import { ANY_TOOL } from '../output-formats/tool-set.ts';
import type { ChatMessage } from './chat-message.ts';
import { PromptRenderer } from './prompt-renderer.ts';
import { answerFormatOf, freeAnswerFormatOf, promptTraits } from './prompt-traits.ts';

const root = new URL('../../../../test/fixtures/', import.meta.url);
const folder = await openModelFolder(new URL('models/tiny-llama', root).pathname);
const card = folder.card({ model: 'tiny', contextLength: 512 });

function traitsOf(chatTemplate: string, outputFormat?: string) {
  const own = { ...card, chatTemplate, ...(outputFormat === undefined ? {} : { outputFormat }) };
  const traits = promptTraits(own, PromptRenderer.fromCard(own));
  return { ...traits, format: answerFormatOf(own, traits) };
}

const family = (name: string): string =>
  JSON.parse(readFileSync(new URL(`chat-templates/${name}.json`, root), 'utf8')).template;
const TURNS = '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}';
const THINK = { open: '<think>', close: '</think>' };

describe('the traits of a chat template', () => {
  it('are those of its family', () => {
    expect(traitsOf(family('qwen3-thinking'))).toMatchObject({
      tools: 'objects',
      reasoning: { switch: 'enable_thinking', efforts: [], block: THINK },
      variables: ['enable_thinking'],
      format: { name: 'hermes' },
    });
    expect(traitsOf(family('llama3-json'))).toMatchObject({ reasoning: null, format: { name: 'llama3-json' } });
  });

  it('name the generic form where tools are not shown, and keep the family’s reasoning', () => {
    const { tools, reasoning, format } = traitsOf(`${TURNS}<｜tool▁calls▁begin｜>assistant: <think>\n`);
    expect({ tools, reasoning }).toEqual({ tools: 'none', reasoning: { switch: null, efforts: [], block: THINK } });
    expect(format).toMatchObject({ name: 'generic', reasoning: THINK });
    expect(traitsOf(TURNS)).toMatchObject({
      tools: 'none',
      reasoning: null,
      variables: [],
      format: { name: 'generic' },
    });
  });

  it('let an answer that nothing holds fall back to the family’s own calls where the generic form was taught', () => {
    const own = { ...card, chatTemplate: `${TURNS}<｜tool▁calls▁begin｜>` };
    const read = (text: string) => {
      const format = freeAnswerFormatOf(own, { tools: 'none' });
      const parser = new OutputParser({ format, tools: ANY_TOOL, reasoning: 'off', callId: String, wholeCalls: true });
      return [...parser.push(text), ...parser.finish()].map((event) => ('name' in event ? event.name : event.type));
    };
    const family =
      '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>';
    expect(read(family)).toEqual(['f', 'call-arguments', 'call-end']);
    expect(read('<tool_call>{"name": "g", "arguments": {}}</tool_call>')).toEqual(['g', 'call-arguments', 'call-end']);
    expect(freeAnswerFormatOf(own, { tools: 'objects' }).name).toBe('deepseek');
    expect(freeAnswerFormatOf({ ...card, chatTemplate: TURNS }, { tools: 'none' }).name).toBe('generic');
  });

  it('say that a model reasons whose template builds the marks of it', () => {
    const template = `{% macro tag(name) %}{{ '<|open|>' + name + '<|sep|>' }}{{ '<|close|>' + name + '<|sep|>' }}{% endmacro %}${TURNS}`;
    expect(traitsOf(template).reasoning?.block).toEqual({
      open: '<|open|>think<|sep|>',
      close: '<|close|>think<|sep|>',
    });
  });

  it('say that a model reasons whose template has a switch for it, and no mark', () => {
    const template = `{% if enable_thinking %}Think.{% endif %}${TURNS}`;
    expect(traitsOf(template).reasoning).toEqual({ switch: 'enable_thinking', efforts: [], block: THINK });
    expect(traitsOf(template.replace('Think.', '')).reasoning).toBeNull();
  });

  it('take the format that was configured', () => {
    const shown = `{% for t in tools or [] %}{{ t.function.name }}{% endfor %}${TURNS}`;
    expect(traitsOf(shown).format.name).toBe('generic');
    expect(traitsOf(shown, 'pythonic').format.name).toBe('pythonic');
  });

  it('tell the efforts that the template knows by name', () => {
    const written = `<|channel|><|message|>${TURNS}Reasoning: {{ reasoning_effort or 'medium' }}`;
    expect(traitsOf(written).reasoning).toEqual({ switch: null, efforts: ['low', 'medium', 'high'], block: null });
    const compared = `${TURNS}{% if reasoning_effort == 'none' %}<think></think>{% elif reasoning_effort == 'low' %}Be quick.{% endif %}`;
    expect(traitsOf(compared).reasoning?.efforts).toEqual(['none', 'low', 'medium', 'high']);
  });

  it('name what a caller may set, and nothing that the template makes itself', () => {
    const template =
      "{% set ns = namespace(x=1) %}{% if not thinking is defined %}{% set thinking = false %}{% endif %}{% macro show(a) %}{{ a | replace('a', sep or '') }}{% endmacro %}{{ bos_token }}{{ show(date_string | default('today')) }}" +
      '{% for m in messages %}{{ m.role }}{{ m["content"] }}{{ loop.index if not quiet else ns.x }}{% endfor %}';
    expect(traitsOf(template).variables).toEqual(['date_string', 'quiet', 'sep', 'thinking']);
  });

  it('name a function of Jinja where they read it as a value', () => {
    const uses =
      "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% endif %}{% for i in range(1) %}{% endfor %}";
    expect(traitsOf(`${uses}${TURNS}`).variables).toEqual([]);
    expect(traitsOf(`${uses}${TURNS}{{ dict.greeting }}{{ range }}`).variables).toEqual(['dict', 'range']);
  });

  it('of Mistral’s kind get ids of nine letters and digits, the same for a call and its result', () => {
    const template = `{% for m in messages %}{% for c in m.tool_calls or [] %}{% if c.id | length != 9 %}{{ raise_exception('length 9') }}{% endif %}[{{ c.id }} {{ c.function.arguments | tojson }}]{% endfor %}{% if m.tool_call_id %}<{{ m.tool_call_id }}>{% endif %}{{ m.content }}{% endfor %}{% for t in tools or [] %}{{ t.function.name }}{% endfor %}`;
    const renderer = PromptRenderer.fromCard({ ...card, chatTemplate: template });
    const id = 'call_0123456789abcdefghijklmn';
    const messages: ChatMessage[] = [
      { role: 'user', content: 'Ask.' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id, type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: id, content: 'Answer.' },
    ];
    const { text } = renderer.render(messages);
    const [, called, answered] = /\[(\w+) .*<(\w+)>/.exec(text) ?? [];
    expect(called).toMatch(/^[A-Za-z0-9]{9}$/);
    expect(answered).toBe(called);
  });
});
