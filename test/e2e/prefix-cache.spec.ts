import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { productsHere } from '#model-runner';
import { Cluster } from '../support/cluster.ts';
import { TEST_KEY } from '../support/product-process.ts';
import { ScrapedMetrics } from '../support/scraped-metrics.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
/** Credits for a thousand tokens. */
const PRICES = { default: { prompt: 100, cachedPrompt: 10, completion: 0 } };

interface Message {
  readonly role: string;
  readonly content: string;
}

/** The fixture is of those models to whose tokens our own attention gives the same bits in any run. */
const keepsAnswers = productsHere().startsWith('our own library');
/** Tokens of a prompt that are computed in any case. */
const COMPUTED = keepsAnswers ? 1 : 2;

const SYSTEM: Message = { role: 'system', content: 'You answer in one word, whatever you are asked.' };

describe('the prefix cache', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    const worker = { MILLRACE_SLOTS: '4', MILLRACE_SLOT_TOKENS: '512' };
    // Quanta and their scales are kept and loaded as they are.
    cluster = await Cluster.start({
      modelFolder,
      worker: { ...worker, ...(keepsAnswers && { MILLRACE_KV_TYPE: 'int8' }) },
    });
    await admin('PUT', 'prices', PRICES);
  }, 60_000);
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  async function admin(method: string, path: string, body?: unknown) {
    const response = await fetch(`${cluster.url}/admin/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    expect(response.ok).toBe(true);
    return (await response.json()) as Record<string, never>;
  }

  /** A tenant with credits; what it was charged is told by its usage. */
  async function tenant(id: string) {
    await admin('PUT', `tenants/${id}`, { credits: 'metered' });
    await admin('POST', `tenants/${id}/grants`, { grantId: `grant-${id}`, credits: 1_000_000 });
    const { key } = await admin('POST', `tenants/${id}/keys`, { role: 'tenant' });
    const chat = async (messages: readonly Message[], fields: object = {}) => {
      const body = { model: MODEL, messages, max_tokens: 24, temperature: 0, ignore_eos: true, ...fields };
      const response = await cluster.post(body, { headers: { authorization: `Bearer ${String(key)}` } });
      expect(response.status).toBe(200);
      const { choices, usage } = (await response.json()) as {
        choices: [{ message: Message }];
        usage: { prompt_tokens: number; prompt_tokens_details: { cached_tokens: number } };
      };
      const { prompt_tokens: prompt, prompt_tokens_details: details } = usage;
      return { said: choices[0].message, prompt, cached: details.cached_tokens };
    };
    return { chat };
  }

  it('spares a chat what was computed of it, tells how much, and charges that at its own price', async () => {
    const { chat } = await tenant('chatty');
    const messages: Message[] = [SYSTEM];
    let before = { prompt: 0, cached: 0 };
    for (const content of ['Hello?', 'Are you there?', 'Why?', 'Good bye.']) {
      messages.push({ role: 'user', content });
      const { said, ...counts } = await chat(messages);
      // All of the last prompt is there, and where answers are kept as much of the last one as is the same tokens again.
      expect(counts.cached).toBeGreaterThanOrEqual(before.prompt - 4);
      expect(counts.cached).toBeLessThan(counts.prompt);
      if (!keepsAnswers) expect(counts.cached).toBeLessThanOrEqual(before.prompt);
      messages.push(said);
      before = counts;
    }
    const { entries } = await admin('GET', 'tenants/chatty/ledger');
    const charges = (entries as { kind: string; credits: number; promptTokens: number; cachedTokens: number }[]).filter(
      ({ kind }) => kind === 'usage',
    );
    expect(charges).toHaveLength(4);
    for (const { credits, promptTokens, cachedTokens } of charges)
      expect(Math.abs(credits) * 1_000).toBeCloseTo((promptTokens - cachedTokens) * 100 + cachedTokens * 10, 3);
    expect(charges.at(-1)!.cachedTokens).toBeGreaterThan(charges.at(-1)!.promptTokens / 2);
  });

  it('shares nothing between tenants, nor between salts of one; and the answer is the same', async () => {
    const messages: Message[] = [SYSTEM, { role: 'user', content: 'Who else asked this?' }];
    const [one, other] = [await tenant('one'), await tenant('other')];
    const cold = await one.chat(messages);
    expect(cold.cached).toBe(0);
    expect(await one.chat(messages)).toEqual({ ...cold, cached: cold.prompt - COMPUTED });
    expect(await other.chat(messages)).toEqual(cold);
    expect(await one.chat(messages, { cache_salt: 'project-a' })).toEqual(cold);
    expect(await one.chat(messages, { cache_salt: 'project-a' })).toEqual({ ...cold, cached: cold.prompt - COMPUTED });
  });

  it('tells what was looked for and found', async () => {
    const metrics = await ScrapedMetrics.of(cluster.workers[0]!.managementUrl);
    const value = (name: string) => metrics.sum(`millrace:${name}`, { model_name: MODEL });
    expect(value('prefix_cache_hits_total')).toBeGreaterThan(100);
    expect(value('prefix_cache_queries_total')).toBe(value('prefix_cache_hits_total') + value('prompt_tokens_total'));
    expect(value('prefix_cache_tokens')).toBeGreaterThan(0);
  });
});
