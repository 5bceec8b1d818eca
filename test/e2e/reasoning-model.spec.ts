import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withoutCachedTokens } from '../support/cached-tokens.ts';
import { Cluster } from '../support/cluster.ts';
import { type DialectCase, expectValid, joined, STREAMING_CASES, streamOf } from '../support/dialect-cases.ts';
import { TEST_KEY } from '../support/product-process.ts';

/** Every answer begins inside a block of reasoning; the template can not leave it out, and shows no tools. */
const TEMPLATE =
  '{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}' +
  '{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}';

let folder: string;
let cluster: Cluster;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-reasoning-'));
  await cp(fileURLToPath(new URL('../fixtures/models/tiny-llama', import.meta.url)), folder, { recursive: true });
  await writeFile(join(folder, 'chat_template.jinja'), TEMPLATE);
  const worker = {
    MILLRACE_MODEL_ID: 'thinker',
    MILLRACE_SLOTS: '8',
    MILLRACE_SLOT_TOKENS: '1024',
    MILLRACE_THREADS: '1',
  };
  cluster = await Cluster.start({ modelFolder: folder, worker });
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const messages = [{ role: 'user', content: 'Think.' }];
const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }];

/** Both forms of an answer, found to be the same to the token. */
async function bothForms(more: object, dialect: DialectCase = STREAMING_CASES[0]!) {
  const post = (body: object) =>
    fetch(`${cluster.url}${dialect.path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const body = { model: 'thinker', messages, temperature: 1, max_tokens: 60, ignore_eos: true, ...more };
  const response = await post(body);
  // biome-ignore lint/suspicious/noExplicitAny: what it is is checked by its schema
  const whole = (await response.json()) as any;
  expect([response.status, whole]).toEqual([200, whole]);
  expectValid(dialect, 'completion', whole);
  const stream_options = { include_usage: true };
  const { chunks } = await streamOf(dialect, await post({ ...body, stream: true, stream_options }));
  for (const { index, message, finish_reason, logprobs } of whole.choices) {
    expect(joined(chunks, index)).toMatchObject({
      content: message.content ?? '',
      reasoning: message.reasoning_content ?? '',
      logprobs: logprobs?.content ?? [],
      finishReason: finish_reason,
    });
  }
  const usages = [chunks.at(-1)!.usage, whole.usage].map((usage) => withoutCachedTokens(JSON.stringify(usage)));
  expect(JSON.parse(usages[0]!)).toEqual(JSON.parse(usages[1]!));
  return whole;
}

// The fixture's weights are random: it never closes a block by itself, and writes parts of characters and marks.
describe('a model that reasons', () => {
  it.each(STREAMING_CASES)(
    'streams its reasoning to exactly the whole answer’s for the same seed: $path',
    async (dialect) => {
      for (const seed of [1, 2, 3]) {
        const whole = await bothForms({ seed, n: 3, logprobs: true, top_logprobs: 2, tools }, dialect);
        for (const { message, finish_reason } of whole.choices) {
          expect([message.content, finish_reason]).toEqual(['', 'length']);
          expect(message.reasoning_content).not.toBe('');
        }
        // Document 000 has no place for details.
        if (dialect.name === 'model-api-chat') continue;
        expect(whole.usage.completion_tokens_details.reasoning_tokens).toBe(whole.usage.completion_tokens);
      }
    },
  );

  it('thinks no longer than its effort allows, and then answers', async () => {
    const at = async (reasoning_effort: string, more = {}) => bothForms({ reasoning_effort, seed: 4, n: 2, ...more });
    const none = await at('none');
    const minimal = await at('minimal', { max_tokens: 330 });
    for (const [answer, least, most] of [
      [none, 1, 10],
      [minimal, 256, 266],
    ] as const) {
      const counted = answer.usage.completion_tokens_details.reasoning_tokens / 2;
      expect(counted).toBeGreaterThanOrEqual(least);
      expect(counted).toBeLessThanOrEqual(most);
      for (const { message } of answer.choices) expect(message.content).not.toBe('');
    }
    for (const { message } of none.choices) expect(message.reasoning_content).toBeUndefined();
    for (const { message } of minimal.choices) expect(message.reasoning_content).not.toBe('');
    const high = await at('high');
    for (const { message } of high.choices) expect(message.content).toBe('');
  });

  it('gives a seeded answer the same tokens under a budget that it does not reach as without one', async () => {
    const free = await bothForms({ seed: 9 });
    const budgeted = await bothForms({ seed: 9, reasoning_effort: 'high' });
    expect(budgeted.choices).toEqual(free.choices);
  });
});
