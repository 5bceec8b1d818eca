import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import { ContinuedOutput } from '../output-formats/continued-output.ts';
import { joinEvents } from '../output-formats/output-event.ts';
import { begunAnswer } from './begun-answer.ts';
import type { ChatMessage } from './chat-message.ts';
import { PromptRenderer } from './prompt-renderer.ts';
import { outputFormatOf, promptTraits } from './prompt-traits.ts';
import { TemplateError } from './template-error.ts';

const FIXTURES = new URL('../../../../test/fixtures/', import.meta.url);
const files = ['chat-templates', 'model-templates'].flatMap((name) =>
  readdirSync(new URL(name, FIXTURES))
    .filter((file) => file.endsWith('.json'))
    .map((file) => `${name}/${file}`),
);
const folder = await openModelFolder(new URL('models/tiny-llama', FIXTURES).pathname);
const card = folder.card({ model: 'tiny', contextLength: 512 });
const question: ChatMessage = { role: 'user', content: 'Hi' };

function loaded(chatTemplate: string, templateTokens = card.templateTokens) {
  const renderer = PromptRenderer.fromCard({ ...card, chatTemplate, templateTokens });
  return { renderer, format: outputFormatOf({ chatTemplate }), traits: promptTraits({ chatTemplate }, renderer) };
}

function begunIn(template: string, last: Partial<ChatMessage>, templateVariables = {}) {
  const { renderer, format } = loaded(template);
  const messages: ChatMessage[] = [question, { role: 'assistant', content: '', ...last }];
  const { text } = renderer.render(messages, { continueFinalMessage: true, templateVariables });
  return begunAnswer(renderer, messages, { templateVariables }, text, format);
}

describe('begunAnswer', () => {
  it.each(files)('leaves its reader in the text that the prompt ends in: %s', (file) => {
    const { template, templateTokens, continued } = JSON.parse(readFileSync(new URL(file, FIXTURES), 'utf8'));
    const { renderer, format, traits } = loaded(template, templateTokens);
    let read = 0;
    for (const { messages, tools, field } of continued) {
      let text: string;
      try {
        text = renderer.render(messages, { tools: tools ?? [], continueFinalMessage: true }).text;
      } catch (error) {
        if (error instanceof TemplateError) continue;
        throw error;
      }
      const { reasoning, begun } = begunAnswer(renderer, messages, { tools: tools ?? [] }, text, format);
      expect(text.trimEnd().endsWith(begun.trim())).toBe(true);
      const start = traits.reasoning === null ? 'off' : reasoning;
      const output = new ContinuedOutput({ format, tools: null, reasoning: start, callId: String }, begun);
      const told = joinEvents([...output.push(' zebra'), ...output.finish()]);
      const opens = messages.at(-1).content === '<think>\nLet me' && format.reasoning?.open === '<think>';
      const isReasoning = start !== 'off' && (field === 'reasoning_content' || (opens && output.inReasoning));
      expect({ begun, content: told.content, reasoning: told.reasoning }).toEqual({
        begun,
        content: isReasoning ? '' : ' zebra',
        reasoning: isReasoning ? ' zebra' : '',
      });
      read++;
    }
    expect(read).toBeGreaterThanOrEqual(5);
  });

  it('begins behind the opening of a turn, with a block that the template writes there', () => {
    const template = `{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' and loop.last %}<think>
{{ m.reasoning_content }}
</think>

{% endif %}{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;
    expect(begunIn(template, { content: 'Hello' })).toEqual({
      reasoning: 'marked',
      begun: '<think>\n\n</think>\n\nHello',
    });
    expect(begunIn(template, { reasoning_content: 'Let me' })).toEqual({
      reasoning: 'marked',
      begun: '<think>\nLet me',
    });
    expect(begunIn(template, { content: '' })).toMatchObject({ begun: '<think>\n\n</think>\n\n' });
  });

  it('begins in the reasoning only where the message does, though the template opens it for a new turn', () => {
    const template = `{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|><think>
{% endif %}`;
    expect(begunIn(template, { content: 'Hello' })).toEqual({ reasoning: 'marked', begun: 'Hello' });
    expect(begunIn(template, { content: '<think>\nHello' })).toEqual({ reasoning: 'opened', begun: 'Hello' });
    expect(begunIn(template, { content: '<thinking>' })).toEqual({ reasoning: 'marked', begun: '<thinking>' });
    expect(begunIn(template, { content: '' })).toEqual({ reasoning: 'marked', begun: '' });
  });

  it('is the text itself where the template writes the turns before it otherwise', () => {
    const template = `{% for m in messages %}{% if loop.last %}LAST {% endif %}<|{{ m.role }}|>{{ m.content }}{% endfor %}`;
    expect(begunIn(template, { content: 'Hello' })).toEqual({ reasoning: 'marked', begun: 'Hello' });
  });

  it('is the text itself where there is nothing before it, which templates may refuse', () => {
    const template = `{{ messages[0].role }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}`;
    const { renderer, format } = loaded(template);
    const alone: ChatMessage[] = [{ role: 'assistant', content: 'Hello' }];
    expect(() => renderer.render([])).toThrow(TemplateError);
    const { text } = renderer.render(alone, { continueFinalMessage: true });
    expect(begunAnswer(renderer, alone, {}, text, format)).toEqual({ reasoning: 'marked', begun: 'Hello' });
  });
});
