import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, jsonSchema, tool as sdkTool, stepCountIs, streamText } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyStore, TenantStore } from '#admission';
import type { ModelCard } from '#contracts';
import { openModelFolder, PromptRenderer } from '#models';
import { connectRedis } from '#queue';
import {
  DIALECT_CASES,
  type DialectCase,
  expectValid,
  joined,
  STREAMING_CASES,
  streamOf,
} from '../support/dialect-cases.ts';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type ScriptedJob, ScriptedWorker } from '../support/scripted-worker.ts';

const messages = [{ role: 'user' as const, content: 'What is the weather in Paris?' }];
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const weather = { type: 'function' as const, function: { name: 'weather', description: 'Of a city.', parameters } };
const time = { type: 'function' as const, function: { name: 'time' } };
const tools = [weather, time];
const call = (name: string, argumentsJson: string) =>
  `<tool_call>{"name": "${name}", "arguments": ${argumentsJson}}</tool_call>`;
const thinkingTemplate = JSON.parse(readFileSync('test/fixtures/chat-templates/qwen3-thinking.json', 'utf8')).template;

let redis: RedisServer;
let api: ProductProcess;
/** A model whose template knows no tools and no reasoning, and one whose template knows both. */
let plain: ScriptedWorker;
let thinking: ScriptedWorker;
let plainCard: ModelCard;
let thinkingCard: ModelCard;
let script: (job: ScriptedJob) => Promise<void>;

beforeAll(async () => {
  redis = await RedisServer.start();
  const folder = await openModelFolder('test/fixtures/models/tiny-llama');
  plainCard = folder.card({ model: 'plain', contextLength: 2_048 });
  thinkingCard = { ...folder.card({ model: 'thinking', contextLength: 2_048 }), chatTemplate: thinkingTemplate };
  const run = (job: ScriptedJob) => script(job);
  plain = await ScriptedWorker.start({ redisUrl: redis.url, card: plainCard, run });
  thinking = await ScriptedWorker.start({ redisUrl: redis.url, card: thinkingCard, run });
  api = await ProductProcess.start('api', { REDIS_URL: redis.url });
}, 120_000);

afterAll(async () => {
  await plain?.[Symbol.asyncDispose]();
  await thinking?.[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

const ask = (dialect: DialectCase, more: object = {}) =>
  fetch(`${api.url}${dialect.path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'plain', messages, max_tokens: 400, ...more }),
  });

/** Both forms of one request's answer, each valid by the dialect's schema, and found to be the same. */
async function bothForms(dialect: DialectCase, body: object) {
  const response = await ask(dialect, body);
  // biome-ignore lint/suspicious/noExplicitAny: what it is is checked by its schema
  const whole = (await response.json()) as any;
  expect([response.status, whole]).toEqual([200, whole]);
  expectValid(dialect, 'completion', whole);
  const stream_options = { include_usage: true };
  const { chunks, done } = await streamOf(dialect, await ask(dialect, { ...body, stream: true, stream_options }));
  expect(done).toBe(true);
  for (const { index, message, finish_reason, logprobs } of whole.choices) {
    const streamed = joined(chunks, index);
    const withoutId = ({ function: called }: { function?: unknown }) => called;
    expect({ ...streamed, calls: streamed.calls.map(withoutId), stopReason: null }).toEqual({
      content: message.content ?? '',
      reasoning: message.reasoning_content ?? '',
      calls: (message.tool_calls ?? []).map(withoutId),
      logprobs: logprobs?.content ?? [],
      finishReason: finish_reason,
      stopReason: null,
    });
    expect(message.tool_calls?.length === 0 && finish_reason === 'tool_calls').toBe(false);
  }
  expect(chunks.at(-1)!.usage).toEqual(whole.usage);
  return { choices: whole.choices, usage: whole.usage, chunks };
}

/** Says the text in pieces of a few characters, one token each. */
function saying(text: string, options: { finish?: 'stop' | 'length'; size?: number } = {}) {
  return async (job: ScriptedJob) => {
    const { finish = 'stop', size = 3 } = options;
    for (let choice = 0; choice < job.job.choices; choice++) {
      for (let from = 0; from < text.length; from += size) job.say(text.slice(from, from + size), { choice });
      job.finish({ choice, reason: finish });
    }
  };
}

describe.each(STREAMING_CASES)('$path with tools', (dialect) => {
  it('gives calls, and the content before them, whole and streamed alike', async () => {
    script = saying(`I will look.\n${call('weather', '{"city": "Paris"}')}\n${call('time', '{}')}`);
    const { choices } = await bothForms(dialect, { tools });
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: 'I will look.',
        tool_calls: [
          { type: 'function', function: { name: 'weather', arguments: '{"city": "Paris"}' } },
          { type: 'function', function: { name: 'time', arguments: '{}' } },
        ],
      },
    });
    const ids = choices[0].message.tool_calls.map(({ id }: { id: string }) => id);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^call_\w{24}$/);
    const alone = saying(call('time', '{}'));
    script = alone;
    expect((await bothForms(dialect, { tools })).choices[0].message.content).toBe(null);
  });

  it('shows the tools to the model in its own form, and none with tool_choice none', async () => {
    script = saying(call('time', '{}'));
    for (const [worker, card] of [[plain, plainCard] as const, [thinking, thinkingCard] as const]) {
      const renderer = PromptRenderer.fromCard(card);
      await ask(dialect, { model: card.model, tools });
      expect(worker.jobs.at(-1)!.promptTokenIds).toEqual([...renderer.render(messages, { tools }).tokenIds]);
      const { choices } = await bothForms(dialect, { model: card.model, tools, tool_choice: 'none' });
      expect(worker.jobs.at(-1)!.promptTokenIds).toEqual([...renderer.render(messages).tokenIds]);
      expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: call('time', '{}') } });
    }
  });

  it('shows earlier calls and their results', async () => {
    script = saying('Sunny.');
    const earlier = {
      id: 'call_a',
      type: 'function' as const,
      function: { name: 'weather', arguments: '{"city": "Paris"}' },
    };
    const conversation = [
      ...messages,
      { role: 'assistant', content: null, reasoning_content: 'I do not know it.', tool_calls: [earlier] },
      { role: 'tool', tool_call_id: 'call_a', content: 'sun' },
    ];
    const seen = conversation.map((message) => ({ ...message, content: message.content ?? '' }));
    for (const [worker, card] of [[plain, plainCard] as const, [thinking, thinkingCard] as const]) {
      const response = await ask(dialect, { model: card.model, tools, messages: conversation });
      expect(response.status).toBe(200);
      const { tokenIds } = PromptRenderer.fromCard(card).render(seen, { tools });
      expect(worker.jobs.at(-1)!.promptTokenIds).toEqual([...tokenIds]);
    }
    const [said, asked] = [{ ...earlier, function: { ...earlier.function, arguments: 'no JSON' } }, conversation[0]];
    const refused = await ask(dialect, {
      model: 'thinking',
      messages: [asked, { role: 'assistant', tool_calls: [said] }],
    });
    const body = (await refused.json()) as { error: { param: string } };
    expect([refused.status, body.error.param]).toEqual([400, 'messages[1].tool_calls[0].function.arguments']);
  });

  it('hands calls that are asked for to the worker as what they must be, and refuses schemas that can not be held', async () => {
    script = saying(call('weather', '{"city": "Paris"}'), { size: 1 });
    const { chunks } = await bothForms(dialect, { tools, tool_choice: 'required' });
    expect(plain.jobs.at(-1)!.constraint).toMatchObject({
      type: 'tool_calls',
      format: 'generic',
      choice: 'required',
      tools: [
        { name: 'weather', parameters },
        { name: 'time', parameters: null },
      ],
    });
    // Held to their form, calls are told while they are written.
    expect(chunks.filter((chunk) => chunk.choices[0]?.delta.tool_calls).length).toBeGreaterThan(5);
    const contains = { type: 'object', properties: { a: { type: 'array', contains: {} } } };
    const bad = { type: 'function', function: { name: 'bad', parameters: contains } };
    for (const choice of [
      { tool_choice: 'required' },
      { tool_choice: { type: 'function', function: { name: 'bad' } } },
    ]) {
      const response = await ask(dialect, { tools: [weather, bad], ...choice });
      const { error } = (await response.json()) as { error: { param: string; message: string } };
      expect([response.status, error.param]).toEqual([
        dialect.outOfRange,
        'tools[1].function.parameters.properties.a.contains',
      ]);
      expect(error.message).toMatch(/bad.*contains/);
    }
    const list = { type: 'function', function: { name: 'list', parameters: { type: 'array' } } };
    const unlike = await ask(dialect, { tools: [list], tool_choice: 'required' });
    expect([unlike.status, ((await unlike.json()) as { error: { param: string } }).error.param]).toEqual([
      dialect.outOfRange,
      'tools[0].function.parameters.type',
    ]);
  });

  it('hands on that an answer is a call or JSON of a schema, and says where that schema can not be held', async () => {
    const formatOf = (schema: object) => ({ type: 'json_schema', json_schema: { name: 'place', schema } });
    const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
    for (const text of [call('weather', '{"city": "Paris"}'), '{"city":"Rome"}']) {
      script = saying(text, { size: 3 });
      const { choices } = await bothForms(dialect, { tools, response_format: formatOf(schema) });
      const [{ finish_reason, message }] = choices;
      const said = text.startsWith('{') ? ['stop', text] : ['tool_calls', null];
      expect([finish_reason, message.content]).toEqual(said);
      expect(plain.jobs.at(-1)?.constraint).toMatchObject({ type: 'tool_calls', choice: 'auto', content: schema });
    }
    const response_format = formatOf({ ...schema, contains: {} });
    const refused = await ask(dialect, { tools, response_format });
    const { error } = (await refused.json()) as { error: { param: string } };
    expect([refused.status, error.param]).toEqual([dialect.outOfRange, 'response_format.json_schema.schema.contains']);
  });

  it('gives what is no call as text, with nothing lost', async () => {
    for (const text of [
      call('unknown', '{}'),
      call('weather', '{"city": }'),
      call('weather', '["Paris"]'),
      `${call('weather', '{"city": "Paris"}').slice(0, -20)}`,
      '<tool_call>\n</tool_call>',
      'a <tool_call> b',
      ' \n',
    ]) {
      for (const finish of ['stop', 'length'] as const) {
        script = saying(text, { finish });
        const { choices } = await bothForms(dialect, { tools });
        const message = { role: 'assistant', content: text };
        expect(choices[0]).toMatchObject({ finish_reason: finish, message });
      }
    }
  });

  it('gives three choices each their own calls and reasoning', async () => {
    script = async (job) => {
      const texts = [`<think>a</think>${call('time', '{}')}`, 'no call', `b ${call('weather', '{"city": "Rome"}')}`];
      for (let from = 0; from < 80; from += 4) {
        for (const [choice, text] of texts.entries()) {
          if (from < text.length) job.say(text.slice(from, from + 4), { choice });
        }
      }
      for (const choice of [2, 0, 1]) job.finish({ choice });
    };
    const { choices, usage } = await bothForms(dialect, { model: 'thinking', tools, n: 3 });
    expect(choices.map((choice: { finish_reason: string }) => choice.finish_reason)).toEqual([
      'tool_calls',
      'stop',
      'tool_calls',
    ]);
    expect(choices[0].message).toMatchObject({ reasoning_content: 'a', content: null });
    expect(choices[2].message).toMatchObject({ content: 'b ' });
    if (dialect.name !== 'model-api-chat') expect(usage.completion_tokens_details.reasoning_tokens).toBeGreaterThan(0);
  });

  it('keeps log probabilities with every token, shown or held back', async () => {
    const text = `I look. ${call('time', '{}')}`;
    script = async (job) => {
      for (const character of text) {
        const token = { tokenId: 5, logprob: -0.5, tokenBytes: Buffer.from(character) };
        job.say(character, { logprobs: [{ ...token, top: [] }] });
      }
      job.finish();
    };
    const { choices } = await bothForms(dialect, { tools, logprobs: true });
    const told = choices[0].logprobs.content.map((entry: { token: string }) => entry.token).join('');
    expect(told).toBe(text);
  });

  it('keeps reasoning apart from the answer, and counts its tokens', async () => {
    script = saying('<think>\nI wonder.\n</think>\n\nIt is sunny.', { size: 1 });
    const { choices, usage, chunks } = await bothForms(dialect, { model: 'thinking' });
    expect(choices[0].message).toMatchObject({ content: 'It is sunny.', reasoning_content: 'I wonder.' });
    const order = chunks.map(({ choices: [choice] }) => Object.keys(choice?.delta ?? {}).at(-1) ?? '');
    expect(order.lastIndexOf('reasoning_content')).toBeLessThan(order.indexOf('content', 1));
    if (dialect.name !== 'model-api-chat') {
      // From the end of the opening mark to the end of the closing one.
      expect(usage.completion_tokens_details.reasoning_tokens).toBe('>\nI wonder.\n</think>'.length);
    }
    script = saying('<think>\nI won', { finish: 'length' });
    expect((await bothForms(dialect, { model: 'thinking' })).choices[0]).toMatchObject({
      finish_reason: 'length',
      message: { content: '', reasoning_content: 'I won' },
    });
    script = saying('<think>a</think>b');
    expect((await bothForms(dialect, { model: 'plain' })).choices[0].message.content).toBe('<think>a</think>b');
  });

  it('lets the template know the effort and further variables, and refuses what it does not read', async () => {
    script = saying('Yes.');
    const renderer = PromptRenderer.fromCard(thinkingCard);
    for (const [body, enable_thinking] of [
      [{ reasoning_effort: 'none' }, false],
      [{ reasoning_effort: 'medium' }, true],
      [{ chat_template_kwargs: { enable_thinking: false } }, false],
      [{ think: false }, false],
      [{ thinking: { type: 'enabled' } }, true],
    ] as const) {
      expect((await ask(dialect, { model: 'thinking', ...body })).status).toBe(200);
      const { tokenIds } = renderer.render(messages, { templateVariables: { enable_thinking } });
      expect(thinking.jobs.at(-1)!.promptTokenIds).toEqual([...tokenIds]);
    }
    for (const [body, param] of [
      [{ chat_template_kwargs: { colour: 'red' } }, 'chat_template_kwargs.colour'],
      [{ reasoning_effort: 'high', model: 'plain' }, 'reasoning_effort'],
      [{ enable_thinking: true, model: 'plain' }, 'enable_thinking'],
    ] as const) {
      const response = await ask(dialect, { model: 'thinking', ...body });
      const { error } = (await response.json()) as { error: { param: string; code: string } };
      expect([response.status, error.param, error.code]).toEqual([dialect.outOfRange, param, 'unsupported_parameter']);
    }
  });

  it('goes on in the middle of a call and of reasoning when the worker is lost', async () => {
    const text = `<think>I think it over.</think>Well.\n${call('weather', '{"city": "Paris"}')}`;
    script = saying(text, { size: 1 });
    const undisturbed = await bothForms(dialect, { model: 'thinking', tools });
    for (const cut of [5, 20, 35, text.indexOf('"city"') + 2, text.length - 3]) {
      script = async (job) => {
        const begun = job.resume[0]?.tokenIds.length ?? 0;
        const end = job.job.epoch === 1 ? cut : text.length;
        for (const character of text.slice(begun, end)) job.say(character);
        if (job.job.epoch === 1) job.fail('engine_failed', 'The engine stopped.');
        else job.finish();
      };
      const { choices, usage } = await bothForms(dialect, { model: 'thinking', tools });
      const withoutIds = (all: unknown) => JSON.stringify(all).replaceAll(/call_\w{24}/g, 'call');
      expect(withoutIds(choices)).toBe(withoutIds(undisturbed.choices));
      expect(usage).toEqual(undisturbed.usage);
    }
  });

  it('runs the tools of OpenAI’s client, streamed and not', async () => {
    const client = new OpenAI({ baseURL: `${api.url}${dialect.prefix}`, apiKey: TEST_KEY, maxRetries: 0 });
    script = async (job) => saying(plain.jobs.length % 2 === 1 ? call('weather', '{"city": "Paris"}') : 'Sunny.')(job);
    for (const stream of [false, true] as const) {
      if (plain.jobs.length % 2 === 1) await ask(dialect);
      const asked: unknown[] = [];
      const runner = client.chat.completions.runTools({
        model: 'plain',
        messages,
        max_tokens: 100,
        // biome-ignore lint/suspicious/noExplicitAny: the client's overloads take true and false apart
        stream: stream as any,
        tools: [
          {
            type: 'function',
            function: {
              name: 'weather',
              description: 'Of a city.',
              parameters,
              parse: JSON.parse,
              function: (given: object) => {
                asked.push(given);
                return 'sun';
              },
            },
          },
        ],
      });
      expect(await runner.finalContent()).toBe('Sunny.');
      expect(asked).toEqual([{ city: 'Paris' }]);
    }
  });

  it('runs the tools of the AI SDK, streamed and not, and gives it the reasoning', async () => {
    const baseURL = `${api.url}${dialect.prefix}`;
    const provider = createOpenAICompatible({ name: 'millrace', baseURL, apiKey: TEST_KEY, includeUsage: true });
    script = async (job) => {
      const first = thinking.jobs.length % 2 === 1;
      await saying(`<think>Hm.</think>${first ? call('weather', '{"city": "Paris"}') : 'Sunny.'}`)(job);
    };
    const asked: unknown[] = [];
    const request = {
      model: provider('thinking'),
      messages,
      maxRetries: 0,
      maxOutputTokens: 100,
      stopWhen: stepCountIs(3),
      tools: {
        weather: sdkTool({
          description: 'Of a city.',
          inputSchema: jsonSchema<{ city: string }>({ ...parameters, type: 'object' }),
          execute: (given) => {
            asked.push(given);
            return 'sun';
          },
        }),
      },
    };
    if (thinking.jobs.length % 2 === 1) await ask(dialect, { model: 'thinking' });
    const whole = await generateText(request);
    expect([whole.text, whole.reasoningText, whole.steps.length]).toEqual(['Sunny.', 'Hm.', 2]);
    const streamed = streamText(request);
    expect([await streamed.text, await streamed.reasoningText]).toEqual(['Sunny.', 'Hm.']);
    expect(asked).toEqual([{ city: 'Paris' }, { city: 'Paris' }]);
  });
});

describe('an answer with one text', () => {
  const dialect = DIALECT_CASES[3]!;

  it('has the content without the reasoning, and refuses tools', async () => {
    script = saying('<think>Hm.</think>Sunny.');
    const body = (await (await ask(dialect, { model: 'thinking' })).json()) as { result: { answer: string } };
    expectValid(dialect, 'completion', body);
    expect(body.result.answer).toBe('Sunny.');
    const refused = await ask(dialect, { tools });
    expect([refused.status, ((await refused.json()) as { message: string }).message]).toEqual([
      400,
      expect.stringMatching(/tools .* is not supported.*no place for tool calls/),
    ]);
  });
});

describe('GET /v1/models', () => {
  const get = async (path: string, key = TEST_KEY) => {
    const response = await fetch(`${api.url}/v1/models${path}`, { headers: { authorization: `Bearer ${key}` } });
    // biome-ignore lint/suspicious/noExplicitAny: a document that is looked at by name
    return { status: response.status, body: (await response.json()) as any };
  };

  it('tells context, capabilities and live replicas', async () => {
    expect((await get('/plain')).body).toMatchObject({
      id: 'plain',
      object: 'model',
      owned_by: expect.any(String),
      created: expect.any(Number),
      context_length: 2_048,
      capabilities: {
        tools: true,
        tool_format: 'generic',
        json_object: true,
        json_schema: true,
        reasoning: false,
        reasoning_efforts: ['none', 'minimal'],
        chat_template_kwargs: [],
      },
      live_workers: 1,
      live_slots: 8,
    });
    expect((await get('/thinking')).body.capabilities).toMatchObject({
      tool_format: 'hermes',
      reasoning: true,
      reasoning_efforts: expect.arrayContaining(['none', 'low', 'high']),
      chat_template_kwargs: ['enable_thinking'],
    });
    expect((await get('/nope')).status).toBe(404);
  });

  it('lists what the tenant may use, and no more', async () => {
    const connection = connectRedis(redis.url, 'producer');
    await once(connection, 'ready');
    await new TenantStore(connection).put({ id: 'thinker', models: ['thinking'] });
    const { key } = await new KeyStore(connection).create({ tenantId: 'thinker' });
    connection.disconnect();
    const ids = ({ data }: { data: { id: string }[] }) => data.map(({ id }) => id);
    expect(ids((await get('')).body)).toEqual(['plain', 'thinking']);
    expect(ids((await get('', key)).body)).toEqual(['thinking']);
    const refused = await get('/plain', key);
    expect([refused.status, refused.body.error.code]).toEqual([403, 'model_not_allowed']);
  });
});
