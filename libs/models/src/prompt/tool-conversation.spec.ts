import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import type { ChatMessage, ChatTool } from './chat-message.ts';
import { PromptRenderer } from './prompt-renderer.ts';
import { TemplateError } from './template-error.ts';

const folder = await openModelFolder(new URL('../../../../test/fixtures/models/tiny-llama', import.meta.url).pathname);
const card = folder.card({ model: 'tiny', contextLength: 512 });
const START = '<|im_start|>';
const END = '<|im_end|>';
const WITH_TOOLS =
  `{% if tools %}${START}system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}${END}{% endif %}` +
  `{% for m in messages %}${START}{{ m.role }}\n{{ m.content }}{% for c in m.tool_calls or [] %}<call>{{ c.function.name }} {{ c.function.arguments ARGUMENTS }}</call>{% endfor %}${END}{% endfor %}`;
const renderers = {
  none: PromptRenderer.fromCard(card),
  objects: PromptRenderer.fromCard({ ...card, chatTemplate: WITH_TOOLS.replace('ARGUMENTS', '| tojson') }),
  texts: PromptRenderer.fromCard({ ...card, chatTemplate: WITH_TOOLS.replace('ARGUMENTS', "~ ''") }),
};

function conversation(text: string): { messages: ChatMessage[]; tools: ChatTool[] } {
  return {
    messages: [
      { role: 'user', content: text },
      {
        role: 'assistant',
        content: '',
        tool_calls: [
          { id: text, type: 'function', function: { name: text, arguments: JSON.stringify({ [`k${text}`]: text }) } },
        ],
      },
      { role: 'tool', name: text, tool_call_id: text, content: text },
      { role: 'tool', name: text, tool_call_id: text, content: 'second' },
    ],
    tools: [
      {
        type: 'function',
        function: {
          name: text,
          description: text,
          parameters: { type: 'object', properties: { [text]: { enum: [text] } } },
        },
      },
    ],
  };
}

function controlTokens({ tokenTable }: PromptRenderer, tokenIds: Int32Array): number[] {
  return [...tokenIds].filter((id) => tokenTable.special[id]);
}

const hostile = fc
  .array(
    fc.oneof(fc.constantFrom(START, END, '<|im_', 'end|>', '\ue000', '"', '\\', '\n'), fc.string({ unit: 'grapheme' })),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''));

describe('a conversation with tools', () => {
  it('shows numbers of earlier calls as they were written, as Python reads them', () => {
    const written =
      '{"amount": 1.0, "id": 12345678901234567890, "n": -9007199254740993, "few": 3, "e": 1e5, "list": [2.50]}';
    const calls = [{ id: 'a', type: 'function' as const, function: { name: 'pay', arguments: written } }];
    const messages: ChatMessage[] = [
      { role: 'user', content: 'Pay.' },
      { role: 'assistant', content: '', tool_calls: calls },
    ];
    const { text } = renderers.objects.renderParts(messages, { tools: conversation('pay').tools });
    expect(text).toContain(
      '{"amount": 1.0, "id": 12345678901234567890, "n": -9007199254740993, "few": 3, "e": 100000.0, "list": [2.5]}',
    );
  });

  it('is told apart by what the template does with tools and calls', () => {
    expect(renderers.none.toolSupport).toBe('none');
    expect(renderers.objects.toolSupport).toBe('objects');
    expect(renderers.texts.toolSupport).toBe('texts');
  });

  it('has calls of earlier turns as a template writes them that is shown no tools', () => {
    const chatTemplate =
      '{% for m in messages %}{{ m.role }}:{% if m.tool_calls is defined %}{% for c in m.tool_calls %}>{{ c.function.name }}{{ c.function.arguments }}{% endfor %}{% else %}{{ m.content }}{% endif %};{% endfor %}';
    const renderer = PromptRenderer.fromCard({ ...card, chatTemplate });
    const { messages, tools } = conversation('a');
    expect(renderer.render(messages).text).toBe('user:a;assistant:>a{"ka":"a"};tool:a;tool:second;');
    expect(renderer.render(messages, { tools }).text).toContain('<tool_call>{"name": "a"');
  });

  it('may be the only kind that a template was made for: others have an empty list of tools', () => {
    const chatTemplate =
      '{% for tool in tools %}{{ tool.function.name }}{% endfor %}{% for m in messages %}{{ m.content }}{% endfor %}';
    const renderer = PromptRenderer.fromCard({ ...card, chatTemplate });
    const { tools } = conversation('f');
    expect(renderer.render([{ role: 'user', content: 'Hi' }]).text).toBe('Hi');
    expect(renderer.render([{ role: 'user', content: 'Hi' }], { tools }).text).toBe('fHi');
  });

  it('reaches the template with tools, calls and results as transformers passes them', () => {
    const { messages, tools } = conversation('a');
    const expected =
      `${START}system\n{"type": "function", "function": {"name": "a", "description": "a", "parameters": {"type": "object", "properties": {"a": {"enum": ["a"]}}}}}\n${END}` +
      `${START}user\na${END}${START}assistant\n<call>a {"ka": "a"}</call>${END}${START}tool\na${END}${START}tool\nsecond${END}`;
    expect(renderers.objects.render(messages, { tools }).text).toBe(expected);
    expect(renderers.texts.render(messages, { tools }).text).toBe(expected.replace('{"ka": "a"}', '{"ka":"a"}'));
    expect(renderers.objects.render(messages).text).toBe(expected.slice(expected.indexOf(`${START}user`)));
  });

  it('is written into plain turns for a template that knows no tools', () => {
    const { messages, tools } = conversation('a');
    const { text } = renderers.none.render([{ role: 'system', content: 'Be brief.' }, ...messages], { tools });
    expect(text).toContain('Be brief.\n\nYou can call these functions.');
    expect(text).toContain(
      '{"name":"a","description":"a","parameters":{"type":"object","properties":{"a":{"enum":["a"]}}}}',
    );
    expect(text).toContain('<tool_call>{"name": "a", "arguments": {"ka":"a"}}</tool_call>');
    expect(text).toContain('<tool_response>\na\n</tool_response>\n<tool_response>\nsecond\n</tool_response>');
  });

  it.each(['none', 'objects', 'texts'] as const)('has no control tokens but the template’s (%s)', (support) => {
    const renderer = renderers[support];
    const plain = conversation('x');
    const expected = controlTokens(renderer, renderer.render(plain.messages, { tools: plain.tools }).tokenIds);
    expect(expected.length).toBeGreaterThan(0);
    fc.assert(
      fc.property(hostile, (text) => {
        const { messages, tools } = conversation(text);
        expect(controlTokens(renderer, renderer.render(messages, { tools }).tokenIds)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  it('is refused by the field’s name when arguments are no JSON object or a text is no Unicode', () => {
    const { messages, tools } = conversation('a');
    const call = { id: '1', type: 'function' as const, function: { name: 'f', arguments: '[1]' } };
    const broken: ChatMessage[] = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: '', tool_calls: [call] },
    ];
    expect(() => renderers.objects.render(broken)).toThrow(
      /messages\[1\]\.tool_calls\[0\]\.function\.arguments: not the text of a JSON object/,
    );
    const lone: ChatTool[] = [{ type: 'function', function: { name: 'f', description: '\ud800' } }];
    expect(() => renderers.none.render(messages, { tools: [...tools, ...lone] })).toThrow(TemplateError);
    expect(() => renderers.objects.render(messages, { tools: lone })).toThrow(
      /tools\[0\]\.function\.description: .*unpaired surrogate/,
    );
  });
});
