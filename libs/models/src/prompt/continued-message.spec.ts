import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import type { ChatMessage } from './chat-message.ts';
import { PromptRenderer } from './prompt-renderer.ts';

const folder = await openModelFolder(new URL('../../../../test/fixtures/models/tiny-llama', import.meta.url).pathname);
const card = folder.card({ model: 'tiny', contextLength: 512 });
const own = PromptRenderer.fromCard(card);
const question: ChatMessage = { role: 'user', content: 'Hi' };
const opened = own.render([question]).text;
const TRIMMING = `{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content | trim }}<|im_end|>
{% endfor %}`;

const withTemplate = (chatTemplate: string) => PromptRenderer.fromCard({ ...card, chatTemplate });
const continued = (renderer: PromptRenderer, content: string, more: Partial<ChatMessage> = {}) =>
  renderer.render([question, { role: 'assistant', content, ...more }], { continueFinalMessage: true });

describe('a prompt that ends in its last message', () => {
  it('ends behind its text, whatever that is, and has no control token more than an open turn', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '<|im_end|>',
        '<|im_',
        '\ue000',
        '\ue001',
        ' ',
        '\n',
        'TheAnswerGoesOnHere',
        'TheAnswerGoesOnHere ',
      ),
      fc.string({ unit: 'binary' }),
    );
    const controlTokens = (tokenIds: Int32Array) => [...tokenIds].filter((id) => own.tokenTable.special[id]);
    const expected = controlTokens(own.render([question]).tokenIds);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const content = pieces.join('');
        fc.pre(content.isWellFormed());
        const { text, tokenIds } = continued(own, content);
        expect(text).toBe(opened + content);
        expect(controlTokens(tokenIds)).toEqual(expected);
      }),
    );
  });

  it.each([
    ['The sky is', 'The sky is'],
    ['The sky is \n', 'The sky is'],
    [' \n The sky', 'The sky'],
    ['The  sky \n is', 'The  sky \n is'],
    ['', ''],
    [' \n', ''],
    ['\n', ''],
  ])('has %j trimmed as the template trims it, and nothing before it', (content, text) => {
    expect(continued(withTemplate(TRIMMING), content).text).toBe(
      `<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n${text}`,
    );
  });

  it('ends in contents that are given as lists of parts', () => {
    const parts = `{% for m in messages %}<|im_start|>{{ m.role }}
{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}`;
    expect(continued(withTemplate(parts), 'The sky').text).toMatch(/assistant\nThe sky$/);
  });

  it('ends in the content also of a model that is taught tools, behind calls and results', () => {
    const call = { id: 'a', type: 'function' as const, function: { name: 'f', arguments: '{}' } };
    const messages: ChatMessage[] = [
      question,
      { role: 'assistant', content: '', tool_calls: [call] },
      { role: 'tool', content: 'grey', tool_call_id: 'a' },
      { role: 'assistant', content: 'The sky' },
    ];
    const { text } = own.render(messages, {
      tools: [{ type: 'function', function: { name: 'f' } }],
      continueFinalMessage: true,
    });
    expect(text).toContain('<tool_response>');
    expect(text).toMatch(/assistant\nThe sky$/);
  });

  it('ends in the reasoning of a message that has nothing else, where the template writes it', () => {
    const thinking = `{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.thinking %}<think>{{ m.thinking }}</think>{% endif %}{{ m.content }}<|im_end|>
{% endfor %}`;
    const reasoning = { reasoning_content: 'Let me' };
    expect(continued(withTemplate(thinking), '', reasoning).text).toMatch(/assistant\n<think>Let me$/);
    expect(continued(withTemplate(thinking), 'Yes', reasoning).text).toMatch(/<think>Let me<\/think>Yes$/);
    expect(() => continued(own, '', reasoning)).toThrow(
      expect.objectContaining({ code: 'invalid_request', param: 'messages[1].reasoning_content' }),
    );
  });

  it.each([
    ['leaves out', `{{ messages[0].content }}{% if messages | length == 1 %}{{ messages[-1].content }}{% endif %}`],
    ['changes', TRIMMING.replace('m.content | trim', "m.content | replace('sky', 'sea')")],
  ])('is refused where the template %s the text', (_, template) => {
    const renderer = withTemplate(template);
    expect(() => continued(renderer, 'The sky is')).toThrow(/^messages\[1\]\.content: .*Remedy: begin the answer/);
  });
});
