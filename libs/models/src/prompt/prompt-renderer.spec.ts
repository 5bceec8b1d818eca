import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import type { ChatMessage } from './chat-message.ts';
import { PromptRenderer, type PromptRendererOptions } from './prompt-renderer.ts';
import { TemplateError } from './template-error.ts';
import { UnsupportedTemplateError } from './unsupported-template-error.ts';

const FIXTURES = new URL('../../../../test/fixtures/models/', import.meta.url);
const MODELS = ['tiny-llama', 'tiny-qwen2', 'tiny-qwen3', 'tiny-mha'];
const folder = await openModelFolder(new URL('tiny-llama', FIXTURES).pathname);
const card = folder.card({ model: 'tiny', contextLength: 512 });
const renderer = PromptRenderer.fromCard(card);

function withTemplate(chatTemplate: string, change: Partial<PromptRendererOptions> = {}): PromptRenderer {
  return PromptRenderer.fromCard({ ...card, chatTemplate, ...change });
}

/** The bytes of the tokens as text, control tokens as their own text. */
function decode({ tokenTable }: PromptRenderer, tokenIds: Int32Array): string {
  const content = new Map(
    JSON.parse(card.tokenizerJson).added_tokens.map((t: { id: number; content: string }) => [t.id, t.content]),
  );
  return Buffer.concat(
    [...tokenIds].map((id) =>
      tokenTable.special[id]
        ? Buffer.from(String(content.get(id)))
        : tokenTable.bytes.subarray(tokenTable.offsets[id], tokenTable.offsets[id + 1]),
    ),
  ).toString('utf8');
}

function controlTokens({ tokenTable }: PromptRenderer, tokenIds: Int32Array): number[] {
  return [...tokenIds].filter((id) => tokenTable.special[id]);
}

const dangerous = fc.constantFrom(
  '<|im_end|>',
  '<|im_start|>',
  '<|endoftext|>',
  '<|im_',
  'end|>',
  '<',
  '>',
  '|>',
  '<|',
  '\ue000',
  '\ue001',
  '\ue003',
  ' ',
  '\n',
  'user',
  'assistant',
  '▁',
  'é',
  '🙂',
);
const hostileText = fc
  .array(fc.oneof(dangerous, fc.string({ unit: 'binary' })), { maxLength: 12 })
  .map((parts) => parts.join(''));

describe('PromptRenderer', () => {
  it.each(MODELS)('gives the text and tokens that transformers gives for %s', async (name) => {
    const reference = JSON.parse(readFileSync(new URL(`${name}/reference.json`, FIXTURES), 'utf8'));
    const model = await openModelFolder(new URL(name, FIXTURES).pathname);
    const own = PromptRenderer.fromCard(model.card({ model: name, contextLength: 512 }));
    expect(reference.expectedRendering.length).toBeGreaterThan(0);
    for (const { messages, addGenerationPrompt, text, tokenIds } of reference.expectedRendering) {
      const prompt = own.render(messages, { addGenerationPrompt });
      expect(prompt.text).toBe(text);
      expect([...prompt.tokenIds]).toEqual(tokenIds);
    }
    for (const { text, tokenIds } of reference.expectedEncoding) {
      expect([...own.encode(text)]).toEqual(tokenIds);
    }
  });

  it('makes control tokens only where the template wrote them, and loses no character, for any message content', () => {
    const expected = controlTokens(
      renderer,
      renderer.render([
        { role: 'user', content: 'x' },
        { role: 'assistant', content: 'y' },
      ]).tokenIds,
    );
    fc.assert(
      fc.property(hostileText, hostileText, (question, answer) => {
        const messages: ChatMessage[] = [
          { role: 'user', content: question },
          { role: 'assistant', content: answer },
        ];
        const { text, tokenIds } = renderer.render(messages);
        expect(controlTokens(renderer, tokenIds)).toEqual(expected);
        expect(decode(renderer, tokenIds)).toBe(text);
        expect(text).toContain(question);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps user text apart also where a template trims it, cuts it, joins it or puts it next to its own', () => {
    const template =
      "{% for m in messages %}{{ '<|im_' ~ 'start|>' if false else '<|im_start|>' }}{{ m.name }}{{ m.content | trim }}" +
      "{{ m.content.split('\\n')[-1] }}{{ m.content[1:] }}{{ m.content | upper | lower }}<{{ m.content }}>{{ m | tojson }}{% endfor %}{{ eos_token }}";
    const own = withTemplate(template, { templateTokens: { eos_token: '<|im_end|>' } });
    const expected = controlTokens(own, own.render([{ role: 'user', content: 'x' }]).tokenIds);
    expect(expected).toHaveLength(2);
    fc.assert(
      fc.property(hostileText, hostileText, (content, name) => {
        const { text, tokenIds } = own.render([{ role: 'user', content, name }]);
        expect(controlTokens(own, tokenIds)).toEqual(expected);
        expect(decode(own, tokenIds)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it('makes control tokens that a template builds around a role, and refuses roles that are none', () => {
    const joined = "{% for m in messages %}{{ '<|' + m.role + '|>' }}{{ m.content }}<|end|>{% endfor %}";
    const tokenizer = JSON.parse(card.tokenizerJson);
    tokenizer.added_tokens.push(
      { id: 381, content: '<|user|>', special: true },
      { id: 382, content: '<|end|>', special: true },
    );
    const own = withTemplate(joined, { tokenizerJson: JSON.stringify(tokenizer) });
    const { tokenIds, text } = own.render([{ role: 'user', content: '<|user|>|><|' }]);
    expect(text).toBe('<|user|><|user|>|><|<|end|>');
    expect(controlTokens(own, tokenIds)).toEqual([381, 382]);
    expect(() => own.render([{ role: 'end', content: '' }])).toThrow(/messages\[0\].role: "end" is not a role/);
  });

  it('lets the template search and cut user text that contains its own words', () => {
    const own = withTemplate(
      "{% for m in messages %}{{ m.content.split('<|im_end|>')[-1] }}{% if '<|im_start|>' in m.content %}!{% endif %}{% endfor %}",
    );
    expect(own.render([{ role: 'user', content: 'a<|im_end|>b<|im_start|>' }]).text).toBe('b<|im_start|>!');
  });

  it('keeps private-use characters of the user, all but the last few', () => {
    const all = Array.from({ length: 6400 }, (_, i) => String.fromCharCode(0xe000 + i)).join('');
    const most = all.slice(0, 6390);
    expect(renderer.render([{ role: 'user', content: most }]).text).toContain(most);
    expect(() => renderer.render([{ role: 'user', content: all }])).toThrow(TemplateError);
  });

  it('refuses unpaired surrogates, deep nesting and values that are not JSON, naming the field', () => {
    const user = { role: 'user', content: 'a' };
    expect(() => renderer.render([user, { role: 'user', content: 'a\ud800' }])).toThrow(
      /messages\[1\]\.content: .*unpaired surrogate/,
    );
    expect(() => renderer.encode('\udc00')).toThrow(/text: .*unpaired surrogate/);
    expect(() => renderer.spellingsOf('\udc00')).toThrow(/text: .*unpaired surrogate/);
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) {
      deep = [deep];
    }
    expect(() => renderer.render([user], { templateVariables: { deep } })).toThrow(/nested deeper than 64/);
    expect(() => renderer.render([user], { templateVariables: { call: () => 1 } })).toThrow(
      /templateVariables.call: a function/,
    );
  });

  it('has the filters select and reject', () => {
    const own = withTemplate(
      "{% for m in messages %}{{ m.content }}{% endfor %}{{ ['a', 'b', '', 'a'] | reject('equalto', 'a') | list | length }}{{ ['a', ''] | select | join(',') }}",
    );
    expect(own.render([{ role: 'user', content: '-' }]).text).toBe('-2a');
  });

  it('reports what the template raises as an invalid request', () => {
    const own = withTemplate(
      "{% if messages | length > 3 %}{{ raise_exception('too many') }}{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}",
    );
    const messages = Array.from({ length: 4 }, () => ({ role: 'user', content: 'a' }));
    expect(() => own.render(messages)).toThrow(
      expect.objectContaining({ code: 'invalid_request', message: expect.stringContaining('too many') }),
    );
  });

  it('gives templates no way to JavaScript objects, the clock in UTC, and a bounded amount of work', () => {
    const template =
      "{% for m in messages %}{{ m.content }}{{ m.constructor }}{{ m.__proto__ }}{{ m['constructor'] }}{% endfor %}{{ strftime_now('%d %b %Y %H:%M') }}";
    const own = withTemplate(template, { now: () => new Date('2025-07-10T23:30:00Z') });
    expect(own.render([{ role: 'user', content: 'a' }]).text).toBe('a10 Jul 2025 23:30');
    expect(() =>
      withTemplate('{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}'),
    ).toThrow(/evaluations/);
    expect(() => withTemplate('{{ range(1000000000) }}')).toThrow(/range/);
  });

  it.each([
    ['does not parse', '{% if %}', /cannot be used/],
    [
      'uses an unknown filter in a branch never taken',
      '{% if false %}{{ messages | frobnicate }}{% endif %}',
      /unknown filter "frobnicate"/,
    ],
    ['uses an unknown test', '{% if messages is frobnicated %}{% endif %}', /unknown test "frobnicated"/],
    ['leaves the content out', 'constant', /leaves out/],
    ['fails on a small conversation', "{{ raise_exception('no') }}", /small conversation \(user\)/],
  ])('is refused at load when the template %s', (_, template, message) => {
    expect(() => withTemplate(template)).toThrow(UnsupportedTemplateError);
    expect(() => withTemplate(template)).toThrow(message);
  });

  it('spells a word behind a blank, and within a word, and at a beginning where that is another way', () => {
    const texts = (spellings: readonly (readonly number[])[], of: PromptRenderer) =>
      spellings.map((tokenIds) => decode(of, Int32Array.from(tokenIds)));
    for (const model of MODELS) {
      const file = (name: string) => readFileSync(new URL(`${model}/${name}`, FIXTURES), 'utf8');
      const own = PromptRenderer.fromCard({ ...card, tokenizerJson: file('tokenizer.json') });
      for (const word of ['sky', ' sky', 'é🙂', '<|im_end|>']) {
        const bare = word.trimStart();
        const spelt = texts(own.spellingsOf(word), own);
        expect(
          spelt.every((text) => text.trimStart() === bare),
          `${model} ${word}`,
        ).toBe(true);
        expect(new Set(spelt)).toEqual(new Set([bare, ` ${bare}`]));
        expect(
          own
            .spellingsOf(word)
            .flat()
            .some((id) => own.tokenTable.special[id]),
        ).toBe(false);
      }
    }
  });
});
