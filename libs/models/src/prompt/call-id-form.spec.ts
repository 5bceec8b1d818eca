import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import type { ChatMessage } from './chat-message.ts';
import { PromptRenderer } from './prompt-renderer.ts';

const FIXTURES = new URL('../../../../test/fixtures/', import.meta.url);
const folder = await openModelFolder(new URL('models/tiny-llama', FIXTURES).pathname);
const card = folder.card({ model: 'tiny', contextLength: 512 });
const tools = ['f', 'g'].map((name) => ({ type: 'function' as const, function: { name } }));

/** Two turns with calls: two at once whose results come in another order, and one more; ids as a client has them. */
function conversation(...ids: readonly [string, string, string]): ChatMessage[] {
  const call = (id: string, name: string) => ({ id, type: 'function' as const, function: { name, arguments: '{}' } });
  const result = (id: string, content: string): ChatMessage => ({ role: 'tool', tool_call_id: id, content });
  const [first, second, third] = ids;
  return [
    { role: 'user', content: 'Q' },
    { role: 'assistant', content: '', tool_calls: [call(first, 'f'), call(second, 'g')] },
    ...[result(second, 'B'), result(first, 'A')],
    { role: 'assistant', content: '', tool_calls: [call(third, 'f')] },
    ...[result(third, 'C'), result('of nobody', 'D')],
  ];
}
const OURS = [
  'call_ABCDEFGHIJKLMNOPQRSTUVWX',
  'call_BBCDEFGHIJKLMNOPQRSTUVWX',
  'call_CBCDEFGHIJKLMNOPQRSTUVWX',
] as const;

/** Ids as they stand before arguments, and before results. */
function idsIn(chatTemplate: string, messages: readonly ChatMessage[]): { calls: string[]; results: string[] } {
  const { text } = PromptRenderer.fromCard({ ...card, chatTemplate }).render(messages, { tools });
  const found = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, id = '']) => id);
  return {
    calls: found(/<\|tool_call_begin\|>(.*?)<\|tool_call_argument_begin\|>/g),
    // The first template writes a backslash and an n.
    results: found(/## Return of (.*?)(?:\n|\\n)/g),
  };
}

describe('ids of calls', () => {
  it('are counted through the conversation for Kimi K2, and their results have them, whoever made them', () => {
    const source =
      '{{ tools | tojson }}{% for m in messages %}{% if m.tool_calls %}{% for c in m.tool_calls %}<|tool_call_begin|>{{ c.id }}<|tool_call_argument_begin|>{{ c.function.arguments | tojson }}<|tool_call_end|>{% endfor %}{% elif m.role == "tool" %}## Return of {{ m.tool_call_id }}\n{{ m.content }}{% else %}{{ m.content }}{% endif %}{% endfor %}';
    const expected = {
      calls: ['functions.f:0', 'functions.g:1', 'functions.f:2'],
      results: ['functions.g:1', 'functions.f:0', 'functions.f:2', 'of nobody'],
    };
    expect(idsIn(source, conversation(...OURS))).toEqual(expected);
    // Ids that come again with each turn belong to the turn before them.
    expect(idsIn(source, conversation('1', '2', '1'))).toEqual(expected);
    expect(idsIn(source, conversation('functions.f:0', 'functions.g:1', 'functions.f:2'))).toEqual(expected);
  });

  it('are those that its first template writes itself, turn by turn', () => {
    const { template } = JSON.parse(readFileSync(new URL('model-templates/kimi-k2.json', FIXTURES), 'utf8'));
    expect(idsIn(template, conversation(...OURS))).toEqual({
      calls: ['functions.f:0', 'functions.g:1', 'functions.f:0'],
      results: ['functions.g:1', 'functions.f:0', 'functions.f:0', 'of nobody'],
    });
  });

  it('are left alone by other templates that write them', () => {
    const chatTemplate =
      '{{ tools | tojson }}{% for m in messages %}{% for c in m.tool_calls or [] %}{{ c.id }}{{ c.function | tojson }}{% endfor %}{{ m.content }}{% endfor %}';
    const { text } = PromptRenderer.fromCard({ ...card, chatTemplate }).render(conversation(...OURS), { tools });
    for (const id of OURS) expect(text).toContain(id);
  });
});
