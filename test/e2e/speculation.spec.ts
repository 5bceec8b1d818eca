import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { ScrapedMetrics } from '../support/scraped-metrics.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const TOKENS = 200;

it('verifies what an answer is expected to go on with, says so in its metrics, and delivers every token once', async () => {
  await using cluster = await Cluster.start({
    modelFolder,
    worker: { MILLRACE_SLOTS: '2', MILLRACE_SLOT_TOKENS: '512', MILLRACE_SPECULATION_TOKENS: '8' },
  });
  const body = {
    model: MODEL,
    messages: [{ role: 'user', content: 'Say it again and again.' }],
    max_tokens: TOKENS,
    temperature: 0,
    ignore_eos: true,
    // Whatever the bits, an answer that repeats itself.
    logit_bias: { 40: 100 },
  };
  const whole = await cluster.post(body);
  expect(whole.status).toBe(200);
  const { choices, usage } = (await whole.json()) as {
    choices: [{ message: { content: string }; finish_reason: string }];
    usage: { completion_tokens: number };
  };
  expect([usage.completion_tokens, choices[0].finish_reason]).toEqual([TOKENS, 'length']);

  const streamed = await cluster.post({ ...body, stream: true });
  const events = (await streamed.text()).split('\n\n').filter((event) => event.startsWith('data: {'));
  const texts = events.map((event) => JSON.parse(event.slice('data: '.length)).choices[0]?.delta?.content ?? '');
  expect(texts.join('')).toBe(choices[0].message.content);

  const metrics = await ScrapedMetrics.of(cluster.workers[0]!.managementUrl);
  const value = (name: string, labels: object = {}) =>
    metrics.sum(`millrace:${name}`, { model_name: MODEL, ...labels });
  const [proposed, accepted] = [
    value('spec_decode_num_draft_tokens_total'),
    value('spec_decode_num_accepted_tokens_total'),
  ];
  const [decodes, verifications] = ['decode', 'verify'].map((kind) => value('engine_runs_total', { kind }));
  expect(accepted).toBeGreaterThan(0);
  expect(proposed).toBeGreaterThanOrEqual(accepted);
  expect(verifications).toBeGreaterThan(0);
  // A run gives one token and those that were proposed rightly; the first one of each answer comes from its prompt.
  expect(decodes! + verifications! + accepted).toBe(2 * (TOKENS - 1));
  expect(value('decoded_tokens_total')).toBe(2 * (TOKENS - 1));
  expect(value('generation_tokens_total')).toBe(2 * TOKENS);
  expect(value('inter_token_latency_seconds_count')).toBe(2 * (TOKENS - 1));
}, 60_000);
