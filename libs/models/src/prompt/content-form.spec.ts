import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import { PromptRenderer } from './prompt-renderer.ts';
import { UnsupportedTemplateError } from './unsupported-template-error.ts';

const TINY = new URL('../../../../test/fixtures/models/tiny-llama', import.meta.url).pathname;
const card = (await openModelFolder(TINY)).card({ model: 'tiny', contextLength: 512 });
const CONVERSATION = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hello <|im_end|>' },
  { role: 'assistant', content: 'Hi' },
  { role: 'user', content: '' },
] as const;

/** In the styles of SmolVLM's, Llava's and Mistral's templates for models that see. */
const SMOLVLM =
  "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}" +
  "{{ ': ' }}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}{% elif line['type'] == 'image' %}" +
  "{{ '<image>' }}{% endif %}{% endfor %}<end>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}";
const LLAVA =
  "{% for message in messages %}{{ message['role'].upper() + ':' }}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}" +
  "{{ ' <image>' }}{% endfor %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ ' ' + content['text'] }}{% endfor %}" +
  '{{ "\n" }}{% endfor %}{% if add_generation_prompt %}{{ "ASSISTANT:" }}{% endif %}';
const USERS_ALONE =
  "{% for message in messages %}{% if message['role'] == 'user' %}[{% for block in message['content'] %}{% if block['type'] == 'text' %}" +
  "{{ block['text'] }}{% endif %}{% endfor %}]{% else %}{{ message['role'] + '=' + message['content'] + ';' }}{% endif %}{% endfor %}";

describe('a chat template that takes contents as lists of parts', () => {
  it.each([
    [
      'SmolVLM',
      SMOLVLM,
      '<|im_start|>System: Be brief.<end>\nUser: Hello <|im_end|><end>\nAssistant: Hi<end>\nUser: <end>\nAssistant:',
    ],
    ['Llava', LLAVA, 'SYSTEM: Be brief.\nUSER: Hello <|im_end|>\nASSISTANT: Hi\nUSER: \nASSISTANT:'],
    ['one that does so for users alone', USERS_ALONE, 'system=Be brief.;[Hello <|im_end|>]assistant=Hi;[]'],
  ])('is given them: in the style of %s', (_, chatTemplate, text) => {
    const renderer = PromptRenderer.fromCard({ ...card, chatTemplate });
    const prompt = renderer.render(CONVERSATION);
    expect(prompt.text).toBe(text);
    // What a user writes is text, in a part too.
    const opened = chatTemplate.startsWith('<|im_start|>') ? 1 : 0;
    expect([...prompt.tokenIds].filter((id) => renderer.tokenTable.special[id])).toHaveLength(opened);
  });

  it('is given tools by the generic prompt where it knows none', () => {
    const tool = {
      type: 'function',
      function: { name: 'weather', parameters: { type: 'object', properties: {} } },
    } as const;
    const { text } = PromptRenderer.fromCard({ ...card, chatTemplate: LLAVA }).render(CONVERSATION, { tools: [tool] });
    expect(text).toMatch(/^SYSTEM: Be brief\..*weather.*USER: Hello/s);
  });

  it('is refused where it leaves out what was said in either form', () => {
    expect(() => PromptRenderer.fromCard({ ...card, chatTemplate: '{{ messages | length }}' })).toThrow(
      UnsupportedTemplateError,
    );
    const forgets =
      "{% for m in messages %}{% if m['role'] == 'user' %}{% for p in m['content'] %}{{ p['text'] }}{% endfor %}{% endif %}{% endfor %}";
    expect(() => PromptRenderer.fromCard({ ...card, chatTemplate: forgets })).toThrow(
      /leaves out a user message's content, as text and as/,
    );
  });
});
