import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelCard } from '#contracts';
import { openModelFolder, PromptRenderer } from '#models';
import type { Conversation } from './prompt-source.ts';
import { FEW_CHARACTERS, RenderPool, SHORT_CHARACTERS } from './render-pool.ts';

const FOLDER = new URL('../../../../test/fixtures/models/tiny-llama', import.meta.url).pathname;
const stays = new AbortController().signal;
const user = (content: string): Conversation => ({
  messages: [{ role: 'user', content }],
  tools: [],
  templateVariables: {},
  end: 'new-turn',
  badWords: [],
});

/** Too many for the event loop. */
const words = 'some words '.repeat(FEW_CHARACTERS / 10);

let pool: RenderPool;
let card: ModelCard;

beforeAll(async () => {
  const folder = await openModelFolder(FOLDER);
  card = folder.card({ model: folder.name, contextLength: 64 });
  pool = new RenderPool();
  await pool.load('hash', card);
});

afterAll(() => pool.close());

describe('RenderPool', () => {
  it('makes the same prompt as the renderer itself, for short and long conversations', async () => {
    const renderer = PromptRenderer.fromCard(card);
    for (const content of ['Hello <|im_end|>', words, 'some words '.repeat(SHORT_CHARACTERS / 5)]) {
      const expected = renderer.render(user(content).messages).tokenIds;
      expect((await pool.render('hash', user(content), 'a', stays)).tokenIds).toEqual(expected);
    }
  });

  it('keeps the event loop free, and short conversations quick, while long ones are rendered', async () => {
    const text = (await readFile(`${FOLDER}/tokenizer.json`, 'utf8')).repeat(20);
    const idle = performance.eventLoopUtilization();
    const long = pool.render('hash', user(text), 'a', stays);
    const start = performance.now();
    await pool.render('hash', user('Hi'), 'a', stays);
    const shortMs = performance.now() - start;
    await long;
    const longMs = performance.now() - start;
    expect(shortMs).toBeLessThan(longMs / 2);
    // By the loop's own work, not by when the machine lets it work: handing the text over and back is all it does.
    expect(performance.eventLoopUtilization(idle).active).toBeLessThan(longMs / 2);
  });

  it('does no work for a client that left while it waited', async () => {
    const gone = new AbortController();
    const first = pool.render('hash', user(words), 'a', stays);
    const second = pool.render('hash', user(words), 'a', gone.signal);
    gone.abort();
    await expect(second).rejects.toMatchObject({ code: 'request_cancelled' });
    expect((await first).tokenIds.length).toBeGreaterThan(0);
  });

  it('says why a card can not be used', async () => {
    await expect(pool.load('bad', { ...card, tokenizerJson: '{}' })).rejects.toThrow(/tokenizer/i);
  });

  it('says what is wrong with a conversation, wherever it is rendered', async () => {
    const refusal = "{% if 'xyzzy' in messages[-1].content %}{{ raise_exception('No magic here') }}{% endif %}";
    await pool.load('strict', { ...card, chatTemplate: `${card.chatTemplate}${refusal}` });
    for (const content of ['xyzzy', `${words} xyzzy`]) {
      await expect(pool.render('strict', user(content), 'a', stays)).rejects.toMatchObject({
        code: 'invalid_request',
        param: 'messages',
        message: expect.stringContaining('No magic here'),
      });
    }
  });

  it('refuses a model that it does not hold', async () => {
    await expect(pool.render('nope', user('a'), 'a', stays)).rejects.toMatchObject({ code: 'internal_error' });
  });
});
