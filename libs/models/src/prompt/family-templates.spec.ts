import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import type { ChatMessage } from './chat-message.ts';
import { PromptRenderer } from './prompt-renderer.ts';
import { TemplateError } from './template-error.ts';

const FIXTURES = new URL('../../../../test/fixtures/', import.meta.url);
const filesOf = (name: string): string[] =>
  readdirSync(new URL(name, FIXTURES))
    .filter((file) => file.endsWith('.json'))
    .map((file) => `${name}/${file}`);
const OWN = filesOf('chat-templates');
const REAL = filesOf('model-templates');
const folder = await openModelFolder(new URL('models/tiny-llama', FIXTURES).pathname);
const card = folder.card({ model: 'tiny', contextLength: 512 });

/** The day on which transformers made the renderings: some templates write it. */
const now = () => new Date('2026-11-21T12:00:00Z');

describe('chat templates', () => {
  it('are of twelve real families at least', () => {
    expect(REAL.length).toBeGreaterThanOrEqual(12);
  });

  it.each([...REAL, ...OWN])('render as transformers renders them: %s', (file) => {
    const { template, templateTokens, renderings } = JSON.parse(readFileSync(new URL(file, FIXTURES), 'utf8'));
    const renderer = PromptRenderer.fromCard({ ...card, chatTemplate: template, templateTokens, now });
    let compared = 0;
    for (const { messages, tools, addGenerationPrompt, text, refusal } of renderings) {
      // A template that shows no tools gets them in a way of our own, for which there is no reference.
      if (tools !== null && renderer.toolSupport === 'none') continue;
      const render = (): string => renderer.render(messages, { tools: tools ?? [], addGenerationPrompt }).text;
      if (refusal) expect(render).toThrow(TemplateError);
      // Calls that a template leaves out are written in a way of our own, too (earlier-calls.spec.ts).
      else if (messages.some((message: ChatMessage) => message.tool_calls) && !text.includes('<a>'))
        expect(render()).toContain('"<a>"');
      // Kimi K2's results have the ids of their calls, which it was trained on (call-id-form.spec.ts).
      else expect(render()).toBe(text.replaceAll('## Return of call00001', '## Return of functions.weather:0'));
      compared++;
    }
    expect(compared).toBeGreaterThanOrEqual(renderer.toolSupport === 'none' ? 6 : 14);
  });

  it.each([...REAL, ...OWN])('end in the last message as transformers ends them: %s', (file) => {
    const { template, templateTokens, continued } = JSON.parse(readFileSync(new URL(file, FIXTURES), 'utf8'));
    const renderer = PromptRenderer.fromCard({ ...card, chatTemplate: template, templateTokens, now });
    let compared = 0;
    for (const { messages, tools, text, refusal } of continued) {
      if (tools !== null && renderer.toolSupport === 'none') continue;
      const render = (): string => renderer.render(messages, { tools: tools ?? [], continueFinalMessage: true }).text;
      if (refusal) expect(render).toThrow(TemplateError);
      else if (messages.some((message: ChatMessage) => message.tool_calls) && !text.includes('<a>'))
        expect(render()).toContain('"<a>"');
      else expect(render()).toBe(text.replaceAll('## Return of call00001', '## Return of functions.weather:0'));
      compared++;
    }
    expect(compared).toBeGreaterThanOrEqual(renderer.toolSupport === 'none' ? 7 : 10);
  });
});
