import { describe, expect, it } from 'vitest';
import { PromptMemory, type RememberedJob } from './prompt-memory.ts';

const BLOCK = 64;
/** As many blocks as one generation remembers, and one more. */
const GENERATION = 65_537;

/** Token ids that no prompt of another seed has. */
const tokens = (count: number, seed = 0) => Array.from({ length: count }, (_, index) => seed * 10_000_000 + index);

function promptOf(promptTokenIds: number[], overrides: Partial<RememberedJob> = {}): RememberedJob {
  return { model: 'm', tenantId: 't', promptTokenIds, ...overrides };
}

describe('PromptMemory', () => {
  it('knows of each worker how much of a prompt it has computed, in whole blocks', () => {
    const memory = new PromptMemory();
    const long = tokens(5 * BLOCK + 10);
    memory.remember(promptOf(long), 'all');
    memory.remember(promptOf(long.slice(0, 2 * BLOCK)), 'some');
    memory.remember(promptOf([...long.slice(0, 3 * BLOCK + 32), ...tokens(200, 1)]), 'branch');
    memory.remember(promptOf(tokens(300, 2)), 'other');
    memory.remember(promptOf(long.slice(0, BLOCK - 1)), 'short');
    const workers = ['short', 'other', 'branch', 'never seen', 'some', 'all'];
    expect(memory.knownTokens(promptOf(long), workers)).toEqual([0, 0, 3, 0, 2, 5].map((blocks) => blocks * BLOCK));
    expect(memory.knownTokens(promptOf([...long, ...tokens(100, 3)]), ['all'])).toEqual([5 * BLOCK]);
    expect(memory.knownTokens(promptOf(long.slice(0, BLOCK + 1)), ['all', 'some'])).toEqual([BLOCK, BLOCK]);
    expect(memory.knownTokens(promptOf(long), [])).toEqual([]);
  });

  it('knows a beginning only, not what comes later in a prompt', () => {
    const memory = new PromptMemory();
    const text = tokens(4 * BLOCK);
    memory.remember(promptOf(text), 'a');
    expect(memory.knownTokens(promptOf(text.slice(BLOCK)), ['a'])).toEqual([0]);
    const first = text[0] ?? 0;
    expect(memory.knownTokens(promptOf([first + 1, ...text.slice(1)]), ['a'])).toEqual([0]);
  });

  it('shares nothing between models, tenants and salts', () => {
    const memory = new PromptMemory();
    const text = tokens(2 * BLOCK);
    const known = (overrides: Partial<RememberedJob>) => memory.knownTokens(promptOf(text, overrides), ['a'])[0];
    memory.remember(promptOf(text, { model: 'm', tenantId: 'tt', cacheSalt: 's' }), 'a');
    expect(known({ model: 'm', tenantId: 'tt', cacheSalt: 's' })).toBe(2 * BLOCK);
    expect(known({ model: 'n', tenantId: 'tt', cacheSalt: 's' })).toBe(0);
    expect(known({ model: 'm', tenantId: 'other', cacheSalt: 's' })).toBe(0);
    expect(known({ model: 'm', tenantId: 'tt', cacheSalt: 'other' })).toBe(0);
    expect(known({ model: 'm', tenantId: 'tt' })).toBe(0);
    // The same letters, but not the same names.
    expect(known({ model: 'mt', tenantId: 't', cacheSalt: 's' })).toBe(0);
    expect(known({ model: 'm', tenantId: 'tts', cacheSalt: '' })).toBe(0);
  });

  it('begins anew once it has seen a thousand workers come and go', () => {
    const memory = new PromptMemory();
    const text = promptOf(tokens(2 * BLOCK));
    for (let index = 0; index < 1_000; index += 1) memory.remember(text, `worker ${index}`);
    expect(memory.knownTokens(text, ['worker 0', 'worker 999'])).toEqual([2 * BLOCK, 2 * BLOCK]);
    memory.remember(promptOf(tokens(BLOCK, 1)), 'one more');
    expect(memory.knownTokens(text, ['worker 0', 'worker 999', 'one more'])).toEqual([0, 0, 0]);
    expect(memory.knownTokens(promptOf(tokens(BLOCK, 1)), ['one more'])).toEqual([BLOCK]);
  });

  it('forgets what was used longest ago, a generation at a time', () => {
    const memory = new PromptMemory();
    const [old, used] = [promptOf(tokens(3 * BLOCK, 1)), promptOf(tokens(3 * BLOCK, 2))];
    // A prompt that fills a generation, and differs from the last one from its first token on.
    const filling = promptOf(tokens(GENERATION * BLOCK, 3));
    const fill = () => {
      filling.promptTokenIds[0] = (filling.promptTokenIds[0] ?? 0) - 1;
      memory.remember(filling, 'b');
    };
    const known = () => [old, used].map((prompt) => memory.knownTokens(prompt, ['a'])[0]);
    memory.remember(old, 'a');
    memory.remember(used, 'a');
    fill();
    expect(known()).toEqual([3 * BLOCK, 3 * BLOCK]);
    // Another worker computes it; that the first one has it is still known.
    memory.remember(used, 'b');
    fill();
    expect(known()).toEqual([0, 3 * BLOCK]);
    fill();
    expect(known()).toEqual([0, 0]);
  });

  it('never misses what one of many workers has, though it may take others for it', () => {
    const memory = new PromptMemory();
    const workers = Array.from({ length: 70 }, (_, index) => `worker-${index}`);
    const promptOfWorker = (index: number) => promptOf(tokens(2 * BLOCK, index + 1));
    for (const [index, worker] of workers.entries()) memory.remember(promptOfWorker(index), worker);
    for (const index of workers.keys()) {
      const known = memory.knownTokens(promptOfWorker(index), workers);
      expect(known[index]).toBe(2 * BLOCK);
      expect(known.filter((count) => count > 0).length).toBeLessThanOrEqual(3);
    }
  });

  it("ranks workers by a prompt's first block alone, each independently of the others", () => {
    const workers = ['a', 'b', 'c'];
    const memory = new PromptMemory();
    const order = (prompt: RememberedJob, ids: readonly string[], by = new PromptMemory()) => {
      const ranks = by.ranks(prompt, ids) as number[];
      return [...ids].sort((one, other) => ranks[ids.indexOf(one)]! - ranks[ids.indexOf(other)]!);
    };
    const firsts: string[] = [];
    for (let seed = 1; seed <= 90; seed += 1) {
      const text = tokens(4 * BLOCK, seed);
      const ranked = order(promptOf(text), workers);
      firsts.push(ranked[0]!);
      memory.remember(promptOf(text), 'c');
      expect(order(promptOf([...text.slice(0, BLOCK), 1, 2, 3]), ['c', 'a', 'b'], memory)).toEqual(ranked);
      for (const gone of workers) {
        const left = workers.filter((worker) => worker !== gone);
        expect(order(promptOf(text), left)).toEqual(ranked.filter((worker) => worker !== gone));
      }
    }
    for (const worker of workers) expect(firsts.filter((one) => one === worker).length).toBeGreaterThan(12);
    expect(memory.ranks(promptOf(tokens(BLOCK - 1)), workers)).toBe(null);
  });
});
