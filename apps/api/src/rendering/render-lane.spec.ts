import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openModelFolder } from '#models';
import type { Conversation } from './prompt-source.ts';
import { RenderLane } from './render-lane.ts';

const folder = await openModelFolder(
  fileURLToPath(new URL('../../../../test/fixtures/models/tiny-llama', import.meta.url)),
);
const card = folder.card({ model: 'tiny', contextLength: 512 });
const MOST_WAITING = 3;

let shared: RenderLane;
/** What became of each prompt, in the order in which it did. */
let found: string[];
/** Error by prompt. */
let refused: Map<string, { code: string; message: string; retryAfterMs: number }>;

beforeAll(async () => {
  shared = new RenderLane(MOST_WAITING);
  await shared.load('tiny', card);
});
beforeEach(() => {
  found = [];
  refused = new Map();
});
afterAll(() => shared.close());

/** @param name the tenant's, and a number */
function ask(name: string, { gone = new AbortController().signal, lane = shared } = {}): Promise<void> {
  const messages: Conversation['messages'] = [{ role: 'user', content: name }];
  const conversation: Conversation = { messages, tools: [], templateVariables: {}, end: 'new-turn', badWords: [] };
  return lane.render('tiny', conversation, name.charAt(0), gone).then(
    () => void found.push(name),
    (error) => {
      found.push(`${name} ${error.code}`);
      refused.set(name, error);
    },
  );
}

describe('RenderLane', () => {
  it('serves tenants in turn, whoever has sent more', async () => {
    await Promise.all(['a1', 'a2', 'a3', 'b1'].map((name) => ask(name)));
    expect(found).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  it('refuses the newest of the tenant that has most, where too many wait', async () => {
    // The first one is being rendered when the others come.
    await Promise.all(['a1', 'a2', 'a3', 'a4', 'a5', 'b1'].map((name) => ask(name)));
    expect(found.slice(0, 2)).toEqual(['a5 overloaded', 'a4 overloaded']);
    expect(found.slice(2)).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  it('tells who is refused when the line will have been served, by what prompts take', async () => {
    let nowMs = 0;
    const slow = new RenderLane(MOST_WAITING, () => (nowMs += 2_000));
    await slow.load('tiny', card);
    await ask('a0', { lane: slow });
    await Promise.all(['a1', 'a2', 'a3', 'a4', 'a5'].map((name) => ask(name, { lane: slow })));
    await slow.close();
    expect(refused.get('a5')).toMatchObject({
      retryAfterMs: MOST_WAITING * 2_000,
      message: expect.stringContaining('Try again in 6 s.'),
    });
  });

  it('gives the place of a client that left to who comes next', async () => {
    const gone = new AbortController();
    const asked = [ask('a1'), ask('a2'), ask('a3', { gone: gone.signal }), ask('a4')];
    gone.abort();
    await Promise.all([...asked, ask('a5')]);
    expect(found).toEqual(['a3 request_cancelled', 'a1', 'a2', 'a4', 'a5']);
  });

  it('keeps a card as long as prompts wait that were sent before it was to be forgotten', async () => {
    const asked = ['a1', 'a2', 'b1'].map((name) => ask(name));
    shared.forget('tiny');
    await Promise.all(asked);
    expect(found).toEqual(['a1', 'a2', 'b1']);
    await ask('a3');
    await shared.load('tiny', card);
    await ask('a4');
    expect(found.slice(3)).toEqual(['a3 internal_error', 'a4']);
  });

  it('keeps a card that is loaded again while prompts wait', async () => {
    const asked = ['a1', 'a2'].map((name) => ask(name));
    shared.forget('tiny');
    const loaded = shared.load('tiny', card);
    await Promise.all([...asked, loaded]);
    await ask('a3');
    expect(found).toEqual(['a1', 'a2', 'a3']);
  });
});
