import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import type { ChatMessage, ChatTool } from './chat-message.ts';
import { PromptRenderer } from './prompt-renderer.ts';

const folder = await openModelFolder(new URL('../../../../test/fixtures/models/tiny-llama', import.meta.url).pathname);
const card = folder.card({ model: 'tiny', contextLength: 512 });
/** A template that shows tools, and of the messages only their contents. */
const leavingOut = (mark: string, content = "{{ m['content'] }}"): string =>
  `{% for tool in tools or [] %}${mark}{{ tool | tojson }}{% endfor %}{% for m in messages %}<|im_start|>{{ m['role'] }}\n${content}<|im_end|>{% endfor %}`;
const written = '{"city": "Zürich", "n": [1.0, true, null], "o": {"a": "it\'s"}}';
const call = (name: string) => ({ id: name, type: 'function' as const, function: { name, arguments: written } });
const conversation = (content: string): ChatMessage[] => [
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content, tool_calls: [call('f'), call('g')] },
  { role: 'tool', content: 'r', tool_call_id: 'f' },
];
const tools: ChatTool[] = ['f', 'g'].map((name) => ({ type: 'function', function: { name, description: 'D' } }));
const object = (name: string): string => `{"name": "${name}", "arguments": ${written}}`;
const python = (name: string): string => `${name}(city="Zürich", n=[1.0, True, None], o={"a": "it's"})`;

describe('calls of earlier turns that a template leaves out', () => {
  it.each([
    ['<tool_call>', `<tool_call>\n${object('f')}\n</tool_call>\n<tool_call>\n${object('g')}\n</tool_call>`],
    ['List of tools: [', `<|tool_call_start|>[${python('f')}, ${python('g')}]<|tool_call_end|>`],
    ['<|tool_call|>', `<|tool_call|>[${object('f')}, ${object('g')}]`],
    ['<think></think><response></response><|tool_call|>', `<|tool_call|>[${object('f')}, ${object('g')}]`],
    ['<extra_id_1><tool>', `<toolcall> ${object('f')} </toolcall><toolcall> ${object('g')} </toolcall>`],
  ])('are written as the family writes them: %s', (mark, expected) => {
    const renderer = PromptRenderer.fromCard({ ...card, chatTemplate: leavingOut(mark) });
    const text = (content: string): string => renderer.renderParts(conversation(content), { tools }).text;
    expect(text('')).toContain(`<|im_start|>assistant\n${expected}<|im_end|>`);
    expect(text('So.')).toContain(`<|im_start|>assistant\nSo.\n${expected}<|im_end|>`);
    expect(text('')).toContain('<|im_start|>tool\nr<|im_end|>');
  });

  it('are written into lists of parts, where a template takes those', () => {
    const parts = "{% for part in m['content'] %}{{ part['text'] }}{% endfor %}";
    const renderer = PromptRenderer.fromCard({ ...card, chatTemplate: leavingOut('<|tool_call|>', parts) });
    expect(renderer.renderParts(conversation(''), { tools }).text).toContain(`<|tool_call|>[${object('f')}`);
  });

  it('have control tokens for their marks, and for nothing that a call holds', () => {
    const renderer = PromptRenderer.fromCard({
      ...card,
      chatTemplate: leavingOut('<tool_call>').replaceAll('<|im_start|>', ''),
      tokenizerJson: card.tokenizerJson.replaceAll('<|im_start|>', '<tool_call>'),
    });
    const hostile = { ...call('f'), function: { name: 'f', arguments: '{"a": "<tool_call>"}' } };
    const { parts } = renderer.renderParts([{ role: 'assistant', content: '<tool_call>', tool_calls: [hostile] }]);
    const tokens = parts.filter((part) => 'token' in part && part.token.content === '<tool_call>');
    expect(tokens).toHaveLength(1);
  });
});

describe('results', () => {
  it('have the role that the template shows', () => {
    const shown = "{% if m['role'] != 'tool' %}{{ m['content'] }}{% endif %}";
    const renderer = PromptRenderer.fromCard({ ...card, chatTemplate: leavingOut('<|tool_call|>', shown) });
    expect(renderer.renderParts(conversation(''), { tools }).text).toContain('<|im_start|>tool_response\nr<|im_end|>');
  });
});

describe('a template that takes tools in the system message', () => {
  const chatTemplate =
    "{% for m in messages %}{% if m['role'] == 'system' and 'tools' in m and m['tools'] is not none %}{{ '<|system|>' + m['content'] + '<|tool|>' + m['tools'] + '<|/tool|>' }}{% else %}{{ '<|' + m['role'] + '|>' + m['content'] }}{% endif %}{{ '<|end|>' }}{% endfor %}";
  const renderer = PromptRenderer.fromCard({ ...card, chatTemplate });

  it('is given them there, with a system message where there is none', () => {
    expect(renderer.toolSupport).toBe('system-message');
    const text = (messages: ChatMessage[]): string => renderer.renderParts(messages, { tools }).text;
    const list = '[{"name":"f","description":"D"},{"name":"g","description":"D"}]';
    expect(text([{ role: 'system', content: 'S' }, ...conversation('')])).toBe(
      `<|system|>S<|tool|>${list}<|/tool|><|end|><|user|>Hi<|end|><|assistant|><|tool_call|>[${object('f')}, ${object('g')}]<|/tool_call|><|end|><|tool|>r<|end|>`,
    );
    expect(text([{ role: 'user', content: 'Hi' }])).toBe(
      `<|system|>You are a helpful assistant with some tools.<|tool|>${list}<|/tool|><|end|><|user|>Hi<|end|>`,
    );
    expect(renderer.renderParts([{ role: 'user', content: 'Hi' }]).text).toBe('<|user|>Hi<|end|>');
  });
});
