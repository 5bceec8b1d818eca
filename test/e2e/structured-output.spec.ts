import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Cluster } from '../support/cluster.ts';
import { TEST_KEY } from '../support/product-process.ts';

const MODEL = 'smollm2-135m-instruct';

let cluster: Cluster;
let client: OpenAI;
beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder: fileURLToPath(new URL(`../../models/${MODEL}`, import.meta.url)),
    worker: { MILLRACE_SLOTS: '8', MILLRACE_SLOT_TOKENS: '2048' },
  });
  client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const City = z.object({
  name: z.enum(['Paris', 'London', 'Rome']),
  inhabitants: z.int().min(1_000).max(50_000_000),
  capital: z.boolean(),
  founded: z.iso.date().nullable(),
});
const question = {
  model: MODEL,
  messages: [{ role: 'user' as const, content: 'Tell me about the capital of France, as JSON.' }],
  max_tokens: 200,
};
const cityFormat = zodResponseFormat(City, 'city');

async function refusal(schema: Record<string, unknown>): Promise<unknown> {
  return client.chat.completions
    .create({ ...question, response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } })
    .catch((error: unknown) => error);
}

describe('structured output through the whole path', () => {
  it('serves the openai client’s parse with zod, streaming and not', async () => {
    const whole = await client.chat.completions.parse({ ...question, response_format: cityFormat, seed: 1 });
    expect(City.parse(whole.choices[0]?.message.parsed)).toEqual(JSON.parse(whole.choices[0]?.message.content ?? ''));
    expect(whole.choices[0]?.finish_reason).toBe('stop');
    const stream = client.chat.completions.stream({ ...question, response_format: cityFormat, seed: 1 });
    const streamed = await stream.finalChatCompletion();
    expect(streamed.choices[0]?.message.parsed).toEqual(whole.choices[0]?.message.parsed);
  });

  it('enforces the schema for every choice, and says length when an answer is cut', async () => {
    const hot = { ...question, temperature: 2, n: 4, response_format: cityFormat };
    const { choices } = await client.chat.completions.create(hot);
    expect(choices.length).toBe(4);
    for (const { message, finish_reason } of choices) {
      expect(finish_reason).toBe('stop');
      City.parse(JSON.parse(message.content ?? ''));
    }
    const cut = await client.chat.completions.create({ ...hot, n: 1, max_tokens: 3 });
    expect(cut.choices[0]?.finish_reason).toBe('length');
  });

  it('answers with an object in JSON mode', async () => {
    const { choices } = await client.chat.completions.create({
      ...question,
      temperature: 0,
      max_tokens: 100,
      response_format: { type: 'json_object' },
    });
    expect(choices[0]?.message.content?.startsWith('{')).toBe(true);
    if (choices[0]?.finish_reason === 'stop') expect(JSON.parse(choices[0].message.content ?? '')).toBeTypeOf('object');
  });

  it('holds answers to a pattern, or to one of several texts, whole and streamed', async () => {
    const ask = (extra: object) => client.chat.completions.create({ ...question, temperature: 1, n: 4, ...extra });
    const dates = await ask({ guided_regex: '(19|20)\\d{2}-(0[1-9]|1[0-2])' });
    for (const { message, finish_reason } of dates.choices) {
      expect([message.content, finish_reason]).toEqual([
        expect.stringMatching(/^(19|20)\d{2}-(0[1-9]|1[0-2])$/),
        'stop',
      ]);
    }
    const texts = ['yes', 'no', '"maybe"\nnot'];
    const chosen = await ask({ structured_outputs: { choice: texts } });
    for (const { message, finish_reason } of chosen.choices) {
      expect([texts, finish_reason]).toEqual([expect.arrayContaining([message.content]), 'stop']);
    }
    const one = { ...question, seed: 3, guided_choice: ['Paris', 'Rome'] };
    const streamed = await client.chat.completions.stream(one).finalChatCompletion();
    const whole = await client.chat.completions.create(one);
    expect(streamed.choices[0]?.message.content).toBe(whole.choices[0]?.message.content);
    expect(one.guided_choice).toContain(whole.choices[0]?.message.content);
    const wrong = await ask({ structured_outputs: { regex: '(a)\\1' } }).catch((error: unknown) => error);
    expect(wrong).toMatchObject({ status: 400, code: 'unsupported_parameter', param: 'structured_outputs.regex' });
    const unknown = await ask({ guided_json: { type: 'array', contains: {} } }).catch((error: unknown) => error);
    expect(unknown).toMatchObject({ status: 400, param: 'guided_json.contains' });
  });

  it('holds answers to a grammar, whole and streamed', async () => {
    const gbnf = 'root ::= place ("; " place){0,2} "."\nplace ::= ("Paris" | "Rome") " (" [1-9] [0-9]? ")"';
    const lark =
      '%import common.INT\n?start: sum "."\nsum: sum "+" term | term\nterm: INT | "(" sum ")"\n%ignore " "\n';
    const places = /^(?:Paris|Rome) \([1-9][0-9]?\)(?:; (?:Paris|Rome) \([1-9][0-9]?\)){0,2}\.$/;
    // Of which some are cut.
    const sums = /^[\d+() ]+(?:\. *)?$/;
    const ask = (extra: object) => client.chat.completions.create({ ...question, temperature: 1, n: 4, ...extra });
    const forms: [object, RegExp][] = [
      [{ guided_grammar: gbnf }, places],
      [{ structured_outputs: { grammar: gbnf } }, places],
      [{ grammar: gbnf, regex: '', max_tokens: 60 }, places],
      [{ ebnf: lark, logit_bias: {} }, sums],
    ];
    for (const [form, expected] of forms) {
      const { choices } = await ask(form);
      expect(choices.length).toBe(4);
      for (const { message, finish_reason } of choices) {
        expect(message.content).toMatch(expected);
        if (expected === places) expect(finish_reason).toBe('stop');
      }
    }
    const one = { ...question, seed: 3, guided_grammar: gbnf };
    const streamed = await client.chat.completions.stream(one).finalChatCompletion();
    const whole = await client.chat.completions.create(one);
    expect(streamed.choices[0]?.message.content).toBe(whole.choices[0]?.message.content);
    expect(whole.choices[0]?.message.content).toMatch(places);
    const refused = async (extra: object) => await ask(extra).catch((error: unknown) => error);
    expect(await refused({ structured_outputs: { grammar: 'root ::= "a"\n  | b' } })).toMatchObject({
      status: 400,
      code: 'invalid_request',
      param: 'structured_outputs.grammar',
      message: expect.stringContaining('line 2: rule "b" is not defined'),
    });
    expect(await refused({ ebnf: 'start: /a(?=b)/' })).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: 'ebnf',
    });
    const tools = [{ type: 'function', function: { name: 'f' } }];
    expect(await refused({ grammar: gbnf, tools })).toMatchObject({ status: 400, param: 'grammar' });
  });

  it('honours patterns and schemas as SGLang and llama.cpp name them', async () => {
    const ask = (extra: object) => client.chat.completions.create({ ...question, ...extra });
    const matched = await ask({ regex: '[a-c]{3}' });
    expect(matched.choices[0]?.message.content).toMatch(/^[a-c]{3}$/);
    const valid = await ask({ json_schema: { type: 'object', properties: { a: { const: 1 } }, required: ['a'] } });
    expect(JSON.parse(valid.choices[0]?.message.content ?? '')).toEqual({ a: 1 });
  });

  it('leaves free answers in the same batch as they are alone', async () => {
    const free = { ...question, temperature: 1, seed: 5, max_tokens: 24 };
    const alone = await client.chat.completions.create(free);
    const [mixed] = await Promise.all([
      client.chat.completions.create(free),
      ...Array.from({ length: 3 }, () => client.chat.completions.create({ ...question, response_format: cityFormat })),
    ]);
    expect(mixed.choices[0]?.message.content).toBe(alone.choices[0]?.message.content);
  });

  it('refuses with 400 what it can not enforce, naming path and keyword', async () => {
    const root = 'response_format.json_schema.schema';
    const unknown = { type: 'object', properties: { a: { type: 'array', contains: {} } } };
    expect(await refusal(unknown)).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: `${root}.properties.a.contains`,
      message: expect.stringContaining('contains'),
    });
    expect(await refusal({ $ref: '#/$defs/a' })).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  it('refuses with 400 what takes too long to compile, and goes on', async () => {
    // Each pattern has to remember its last ten characters: 2,048 states.
    const names = Array.from({ length: 100 }, (_, index) => `p${index}`);
    const pattern = (index: number): string => `^[ab]*${index % 2 === 0 ? 'a' : 'b'}[ab]{9}c{${1 + index}}$`;
    const properties = Object.fromEntries(
      names.map((name, index) => [name, { type: 'string', pattern: pattern(index) }]),
    );
    const failure = await refusal({ type: 'object', properties });
    const message = expect.stringMatching(/takes longer than|grammar states/);
    const param = expect.stringContaining('response_format.json_schema.schema');
    expect(failure).toMatchObject({ status: 400, param, message });
    const next = await client.chat.completions.parse({ ...question, response_format: cityFormat, seed: 1 });
    expect(next.choices[0]?.finish_reason).toBe('stop');
  });
});
