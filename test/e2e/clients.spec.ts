import { fileURLToPath } from 'node:url';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { AIMessageChunk } from '@langchain/core/messages';
import { tool as langchainTool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { generateObject, generateText, tool as sdkTool, stepCountIs, streamObject, streamText } from 'ai';
import OpenAI from 'openai';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Cluster } from '../support/cluster.ts';
import { STREAMING_CASES } from '../support/dialect-cases.ts';
import { TEST_KEY } from '../support/product-process.ts';
import { runPython } from '../support/python.ts';

const MODEL = 'smollm2-135m-instruct';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder: fileURLToPath(new URL(`../../models/${MODEL}`, import.meta.url)),
    worker: { MILLRACE_SLOTS: '8', MILLRACE_SLOT_TOKENS: '2048' },
  });
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }];
const City = z.object({ name: z.enum(['Paris', 'London']), inhabitants: z.int().min(1_000).max(50_000_000) });
const Place = z.object({ city: z.enum(['Paris', 'London', 'Rome']), celsius: z.boolean() });
const description = 'The weather of a city.';

// What needs no model to show it, all prefixes show with tools and reasoning in tools.spec.ts.
describe.each(STREAMING_CASES)('the shipped model at $prefix', { timeout: 120_000 }, ({ prefix }) => {
  const question = { model: MODEL, messages, temperature: 0, max_tokens: 32 };
  const openai = () => new OpenAI({ baseURL: `${cluster.url}${prefix}`, apiKey: TEST_KEY, maxRetries: 0 });
  const sdk = () => {
    const baseURL = `${cluster.url}${prefix}`;
    const supportsStructuredOutputs = true;
    return createOpenAICompatible({ name: 'millrace', baseURL, apiKey: TEST_KEY, supportsStructuredOutputs })(MODEL);
  };
  const langchain = (more: object = {}) =>
    new ChatOpenAI({
      model: MODEL,
      apiKey: TEST_KEY,
      configuration: { baseURL: `${cluster.url}${prefix}` },
      maxRetries: 0,
      temperature: 0,
      maxTokens: 32,
      ...more,
    });

  it('serves openai: create, stream and parse with zod', async () => {
    const client = openai();
    const whole = await client.chat.completions.create(question);
    expect(whole.choices[0]?.message.content).toContain('Paris');
    const stream = client.chat.completions.stream(question);
    expect(await stream.finalContent()).toBe(whole.choices[0]?.message.content);
    const asked = { ...question, max_tokens: 120, response_format: zodResponseFormat(City, 'city') };
    const parsed = await client.chat.completions.parse(asked);
    City.parse(parsed.choices[0]?.message.parsed);
    const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
    expect(streamed.choices[0]?.message.parsed).toEqual(parsed.choices[0]?.message.parsed);
  });

  it('calls tools for openai: required, named, strict, and by runTools', async () => {
    const client = openai();
    const tools = [
      zodFunction({ name: 'weather', parameters: Place, description }),
      zodFunction({ name: 'time', parameters: z.object({ zone: z.enum(['CET', 'GMT']) }) }),
    ];
    const asked = { ...question, max_tokens: 120, tools };
    const callsWith = async (tool_choice: 'required' | { type: 'function'; function: { name: string } }) => {
      const [whole, streamed] = await Promise.all([
        client.chat.completions.parse({ ...asked, tool_choice }),
        client.chat.completions.stream({ ...asked, tool_choice }).finalChatCompletion(),
      ]);
      const [choice] = whole.choices;
      expect(choice?.finish_reason).toBe('tool_calls');
      const calls = (choice?.message.tool_calls ?? []).filter((call) => 'function' in call);
      expect(calls.length).toBeGreaterThan(0);
      for (const { function: called } of calls) {
        (called.name === 'weather' ? Place : z.object({ zone: z.string() })).parse(called.parsed_arguments);
        if (tool_choice !== 'required') expect(called.name).toBe('time');
      }
      const callsOf = (completion: OpenAI.ChatCompletion) =>
        completion.choices[0]?.message.tool_calls?.map((call) => (call.type === 'function' ? call.function : null));
      expect(callsOf(streamed)).toEqual(callsOf(whole));
    };
    await Promise.all([callsWith('required'), callsWith({ type: 'function', function: { name: 'time' } })]);
    const hot = { ...asked, tool_choice: 'required' as const, temperature: 1, top_p: 1, n: 3, seed: 5, max_tokens: 60 };
    for (const { message } of (await client.chat.completions.create({ ...hot, parallel_tool_calls: false })).choices) {
      expect(message.tool_calls).toHaveLength(1);
    }
    const given: unknown[] = [];
    const run = async (stream: boolean): Promise<void> => {
      const runner = client.chat.completions.runTools({
        ...question,
        max_tokens: 100,
        tool_choice: { type: 'function', function: { name: 'weather' } },
        // biome-ignore lint/suspicious/noExplicitAny: the client's overloads take true and false apart
        stream: stream as any,
        tools: [
          zodFunction({ name: 'weather', parameters: Place, description, function: (place) => void given.push(place) }),
        ],
      });
      await runner.done();
    };
    await Promise.all([run(false), run(true)]);
    expect(given).toHaveLength(2);
    for (const place of given) Place.parse(place);
  });

  it('serves the AI SDK: generateText, streamText, generateObject and tools', async () => {
    const request = { model: sdk(), messages, temperature: 0, maxOutputTokens: 32, maxRetries: 0 };
    const objects = { ...request, maxOutputTokens: 120, schema: City };
    const streamedObjectOf = async (asked: typeof objects) => {
      const { partialObjectStream, object } = streamObject(asked);
      const parts: unknown[] = [];
      for await (const part of partialObjectStream) parts.push(part);
      expect(parts.length).toBeGreaterThan(1);
      return object;
    };
    const [whole, streamedText, { object }, streamedObject] = await Promise.all([
      generateText(request),
      streamText(request).text,
      generateObject(objects),
      streamedObjectOf(objects),
    ]);
    expect(whole.text).toContain('Paris');
    expect(streamedText).toBe(whole.text);
    City.parse(object);
    expect(streamedObject).toEqual(object);
    const given: unknown[] = [];
    const weather = sdkTool({ description, inputSchema: Place, execute: (place) => void given.push(place) });
    const called = { ...request, maxOutputTokens: 120, tools: { weather }, stopWhen: stepCountIs(1) };
    const [{ toolCalls: calls }, streamed] = await Promise.all([
      generateText({ ...called, toolChoice: 'required' }),
      streamText({ ...called, toolChoice: { type: 'tool', toolName: 'weather' } }).toolCalls,
    ]);
    expect(calls.length).toBeGreaterThan(0);
    for (const { toolName, input } of [...calls, ...streamed]) {
      expect(toolName).toBe('weather');
      Place.parse(input);
    }
    expect(given.length).toBe(calls.length + streamed.length);
  });

  it('serves LangChain: invoke, stream, structured output and tools', async () => {
    const asked = 'What is the capital of France?';
    const whole = await langchain().invoke(asked);
    expect(whole.text).toContain('Paris');
    let text = '';
    for await (const chunk of await langchain().stream(asked)) text += chunk.text;
    expect(text).toBe(whole.text);
    const model = langchain({ maxTokens: 120 });
    const weather = langchainTool(() => 'sun', { name: 'weather', description, schema: Place });
    const bound = model.bindTools([weather], { tool_choice: 'required' });
    const streamedCalls = async () => {
      let joined: AIMessageChunk | null = null;
      for await (const chunk of await bound.stream(asked)) joined = joined === null ? chunk : joined.concat(chunk);
      return joined?.tool_calls;
    };
    const [byFormat, byFunction, { tool_calls: calls }, streamed] = await Promise.all([
      model.withStructuredOutput(City, { name: 'city', method: 'jsonSchema' }).invoke(asked),
      model.withStructuredOutput(City, { name: 'city', method: 'functionCalling' }).invoke(asked),
      bound.invoke(asked),
      streamedCalls(),
    ]);
    for (const city of [byFormat, byFunction]) City.parse(city);
    expect(calls?.length).toBeGreaterThan(0);
    for (const { name, args } of calls ?? []) {
      expect(name).toBe('weather');
      Place.parse(args);
    }
    expect(streamed?.map(({ args }) => args)).toEqual(calls?.map(({ args }) => args));
  });
});

it('lists the models for openai, and tells of one', async () => {
  const client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  const ids: string[] = [];
  for await (const model of client.models.list()) ids.push(model.id);
  expect(ids).toEqual([MODEL]);
  expect(await client.models.retrieve(MODEL)).toMatchObject({ id: MODEL, object: 'model' });
});

describe('Python’s openai', () => {
  it('is served at every prefix, whole and streamed, with parsed answers and tools', async () => {
    const urls = STREAMING_CASES.map(({ prefix }) => `${cluster.url}${prefix}`);
    const printed = await runPython(new URL('./openai_client.py', import.meta.url), {
      BASE_URLS: urls.join(' '),
      API_KEY: TEST_KEY,
      MODEL,
    });
    // biome-ignore lint/suspicious/noExplicitAny: a document that is looked at by name
    const answers = JSON.parse(printed) as Record<string, any>;
    for (const [index, url] of urls.entries()) {
      const { whole, pieces, finish_reason, choices, parsed, called, refused } = answers[url];
      expect(whole).toContain('Paris');
      expect(pieces.length).toBeGreaterThanOrEqual(5);
      expect([pieces.join(''), finish_reason]).toEqual([whole, 'stop']);
      expect(choices).toHaveLength(2);
      for (const choice of choices) expect(choice.logprobs).toBeGreaterThan(0);
      expect(parsed[1]).toEqual(parsed[0]);
      expect(called[0].finish_reason).toBe('tool_calls');
      expect(called[0].calls[0]).toMatchObject({ name: 'Weather', arguments: { celsius: expect.any(Boolean) } });
      expect(called[1]).toEqual(called[0]);
      expect(refused).toMatchObject({ status: STREAMING_CASES[index]!.outOfRange, param: 'temperature' });
      expect(refused.request_id).toMatch(/./);
    }
  }, 400_000);
});
