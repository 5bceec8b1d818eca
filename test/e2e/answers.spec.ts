import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { PromptRenderer } from '#models';
import { connectRedis, ModelQueue } from '#queue';
import { OpenaiErrorBody as ErrorBody } from '../../apps/api/src/dialects/chat-answer/answer-fields.ts';
import { ChunkBody, CompletionBody } from '../../apps/api/src/dialects/openai-chat/answer-body.ts';
import { TEST_KEY } from '../support/product-process.ts';
import { eventsOf, MESSAGES, ScriptedApi, until } from '../support/scripted-api.ts';
import { ScriptedWorker } from '../support/scripted-worker.ts';

let cluster: ScriptedApi;
let client: OpenAI;
beforeAll(async () => {
  cluster = await ScriptedApi.start({ settings: { MILLRACE_STREAM_BUFFER_BYTES: '65536' } });
  client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
}, 120_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  cluster.script = ScriptedApi.hello;
});

describe('an answer', () => {
  it('comes whole, as OpenAI’s client reads it, with exact usage', async () => {
    const { data, response } = await client.chat.completions
      .create({ model: cluster.card.model, messages: MESSAGES, seed: 7, stop: ['END'], max_tokens: 20 })
      .withResponse();
    expect(data.choices[0]).toEqual({
      index: 0,
      message: { role: 'assistant', content: 'Hello you', refusal: null },
      logprobs: null,
      finish_reason: 'stop',
    });
    const promptTokens = cluster.lastJob.promptTokenIds.length;
    expect(promptTokens).toBeGreaterThan(5);
    expect(data.usage).toMatchObject({
      prompt_tokens: promptTokens,
      completion_tokens: 3,
      total_tokens: promptTokens + 3,
    });
    expect(CompletionBody.parse(data)).toEqual(data);
    expect(response.headers.get('x-request-id')).toMatch(/^req_/);
    expect(cluster.lastJob).toMatchObject({
      sampling: { seed: 7, temperature: 1 },
      stop: { strings: ['END'], maxTokens: 20, tokenIds: cluster.card.eosTokenIds },
    });
  });

  it('comes as a stream with the role first, one finish reason, usage last, and [DONE]', async () => {
    const response = await cluster.ask(
      { stream: true, stream_options: { include_usage: true } },
      { 'x-request-id': 'trace-1' },
    );
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(response.headers.get('cache-control')).toMatch(/no-cache/);
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('x-request-id')).toBe('trace-1');
    const all = await eventsOf(response);
    expect(all.pop()).toBe('[DONE]');
    const chunks = all.map((event) => ChunkBody.strict().parse(event));
    expect(chunks[0]!.choices[0]!.delta).toEqual({ role: 'assistant', content: '', refusal: null });
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('Hello you');
    expect(chunks.filter((chunk) => chunk.choices[0]?.finish_reason)).toHaveLength(1);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 3 } });
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
  });

  it('streams through OpenAI’s client, three choices at once', async () => {
    cluster.script = async (job) => {
      for (const choice of [2, 0, 1]) job.say(`choice ${choice}`, { choice });
      for (const choice of [0, 1, 2]) job.finish({ choice, reason: choice === 1 ? 'length' : 'stop' });
    };
    const stream = client.chat.completions.stream({ model: cluster.card.model, messages: MESSAGES, n: 3 });
    const completion = await stream.finalChatCompletion();
    expect(completion.choices.map((choice) => choice.message.content)).toEqual(['choice 0', 'choice 1', 'choice 2']);
    expect(completion.choices.map((choice) => choice.finish_reason)).toEqual(['stop', 'length', 'stop']);
    const whole = await client.chat.completions.create({ model: cluster.card.model, messages: MESSAGES, n: 3 });
    expect(whole.choices.map((choice) => choice.message.content)).toEqual(['choice 0', 'choice 1', 'choice 2']);
    expect(whole.usage?.completion_tokens).toBe(3);
  });

  it('arrives token by token, not in one piece at the end', async () => {
    const turn = Promise.withResolvers<void>();
    cluster.script = async (job) => {
      job.say('first');
      await turn.promise;
      job.say('second');
      job.finish();
    };
    const stream = await client.chat.completions.create({
      model: cluster.card.model,
      messages: MESSAGES,
      stream: true,
    });
    const texts: string[] = [];
    for await (const chunk of stream) {
      const text = chunk.choices[0]?.delta.content;
      if (text) texts.push(text);
      if (text === 'first') turn.resolve();
    }
    expect(texts).toEqual(['first', 'second']);
  });

  it('has log probabilities with bytes, also where a token is half a character', async () => {
    const bytes = Buffer.from('é');
    const token = (tokenBytes: Buffer) => ({ tokenId: 5, logprob: -0.5, tokenBytes });
    cluster.script = async (job) => {
      const [first, second] = [bytes.subarray(0, 1), bytes.subarray(1)].map(token);
      job.say('', { logprobs: [{ ...first!, top: [first!] }] });
      job.say('é', { logprobs: [{ ...second!, top: [] }] });
      job.finish();
    };
    const { choices } = await client.chat.completions.create({
      model: cluster.card.model,
      messages: MESSAGES,
      logprobs: true,
      top_logprobs: 1,
    });
    expect(cluster.lastJob.topLogprobs).toBe(1);
    expect(choices[0]!.message.content).toBe('é');
    const content = choices[0]!.logprobs!.content!;
    expect(content.map((entry) => entry.bytes)).toEqual([[0xc3], [0xa9]]);
    expect(content[0]!.top_logprobs).toEqual([{ token: '\ufffd', logprob: -0.5, bytes: [0xc3] }]);
    expect(choices[0]!.logprobs!.refusal).toBeNull();
  });

  it('opens with a comment while a long prompt is read, so that nobody on the way takes it for dead', async () => {
    const read = Promise.withResolvers<void>();
    cluster.script = async (job) => {
      await read.promise;
      job.say('At last');
      job.finish();
    };
    const response = await cluster.post({ model: cluster.card.model, messages: MESSAGES, stream: true });
    const reader = response.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(': prefill\n\n');
    read.resolve();
    let text = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += new TextDecoder().decode(part.value);
    }
    expect(text).toMatch(/^data: .*At last.*data: \[DONE\]\n\n$/s);
  });

  it('keeps characters whole whatever the pieces', async () => {
    const text = 'Grüße 👋🏽 — 漢字';
    cluster.script = async (job) => {
      for (const character of new Intl.Segmenter().segment(text)) job.say(character.segment);
      job.finish();
    };
    const all = (await eventsOf(await cluster.ask({ stream: true }))) as {
      choices?: { delta: { content?: string } }[];
    }[];
    expect(all.map((event) => event.choices?.[0]?.delta.content ?? '').join('')).toBe(text);
  });

  it('may come in pieces larger than the buffer of a stream, as long as the client reads', async () => {
    cluster.script = async (job) => {
      for (let piece = 0; piece < 8; piece += 1) {
        job.say('x'.repeat(200_000));
        await sleep(20);
      }
      job.finish();
    };
    const response = await cluster.ask({ stream: true });
    const text = await response.text();
    expect(text).toContain('[DONE]');
    expect(text.length).toBeGreaterThan(1_600_000);
  });

  it('takes what is left of the context when no limit is given, and a drawn seed', async () => {
    await cluster.ask();
    const first = cluster.lastJob;
    await cluster.ask();
    expect(first.stop.maxTokens).toBe(cluster.card.contextLength - first.promptTokenIds.length);
    expect(first.sampling.seed).not.toBe(cluster.lastJob.sampling.seed);
  });

  it('runs past the end of the turn only with ignore_eos', async () => {
    await cluster.ask({ ignore_eos: true });
    expect(cluster.lastJob.stop.tokenIds).toEqual([]);
  });

  it('has the tokens that may come, and how the words that may not are spelt', async () => {
    await cluster.ask({ allowed_token_ids: [7, 8, 7], bad_words: ['sky'] });
    const { allowed, banned = [] } = cluster.lastJob.tokenLimits ?? {};
    expect(allowed).toEqual([7, 8]);
    const renderer = PromptRenderer.fromCard(cluster.card);
    expect(banned).toEqual(renderer.spellingsOf('sky'));
    expect(banned.length).toBeGreaterThan(0);
    await cluster.ask({ allowed_token_ids: [], bad_words: [] });
    expect(cluster.lastJob).not.toHaveProperty('tokenLimits');
    const jobs = cluster.worker.jobs.length;
    const [token] = renderer.encode('a');
    for (const [more, param, message] of [
      [{ allowed_token_ids: [999_999] }, 'allowed_token_ids', 'token 999999'],
      [{ allowed_token_ids: [token], bad_words: ['a'] }, 'bad_words', 'Remove some'],
    ] as const) {
      const refused = await cluster.ask(more);
      const error = expect.objectContaining({ param, message: expect.stringContaining(message) });
      expect([refused.status, await refused.json()]).toEqual([400, { error }]);
    }
    expect(cluster.worker.jobs.length).toBe(jobs);
  });

  it('asks for a least number of tokens, which is no more than there may be', async () => {
    await cluster.ask({ min_tokens: 7, max_tokens: 7 });
    expect(cluster.lastJob.stop.minTokens).toBe(7);
    await cluster.ask({ min_tokens: 0 });
    expect(cluster.lastJob.stop.minTokens).toBeUndefined();
    const refused = await cluster.ask({ min_tokens: 8, max_tokens: 7 });
    expect([refused.status, await refused.json()]).toEqual([
      400,
      { error: expect.objectContaining({ param: 'min_tokens', message: expect.stringContaining('is 8, but') }) },
    ]);
  });
});

describe('a client that leaves', () => {
  const waitForCancel = () => {
    cluster.script = async (job) => {
      job.say('begin');
      await once(job.cancelled, 'abort');
    };
  };

  it('cancels its running stream at the worker', async () => {
    waitForCancel();
    const cancelsMs: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      const abort = new AbortController();
      const response = await cluster.ask({ stream: true }, {}, abort.signal);
      await response.body!.getReader().read();
      const { requestId } = cluster.lastJob;
      const start = performance.now();
      abort.abort();
      await until(() => cluster.worker.cancels.includes(requestId), 'the cancel at the worker');
      cancelsMs.push(performance.now() - start);
    }
    // The quickest one: how long it takes when the machine lets it.
    expect(Math.min(...cancelsMs)).toBeLessThan(500);
  });

  it('cancels a request that is not streamed', async () => {
    waitForCancel();
    const before = cluster.worker.jobs.length;
    const abort = new AbortController();
    const response = cluster.ask({}, {}, abort.signal).catch(() => null);
    await until(() => cluster.worker.jobs.length > before, 'the job at the worker');
    abort.abort();
    await response;
    await until(() => cluster.worker.cancels.includes(cluster.lastJob.requestId), 'the cancel at the worker');
  });

  it('takes its queued job out of the queue', async () => {
    await using slow = await ScriptedWorker.start({
      redisUrl: cluster.redis.url,
      card: { ...cluster.card, model: 'tiny/queued' },
      run: () => Promise.resolve(),
    });
    slow.stopTaking();
    const connection = connectRedis(cluster.redis.url, 'producer');
    await once(connection, 'ready');
    const queue = new ModelQueue({ model: 'tiny/queued', redis: connection });
    const abort = new AbortController();
    const response = cluster.post({ model: 'tiny/queued', messages: MESSAGES, stream: true }, {}, abort.signal);
    await until(async () => (await queue.depth()).waiting === 1, 'the job in the queue');
    const reader = (await response).body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toMatch(/^: queued position=1 eta_ms=\d+\n\n$/);
    abort.abort();
    await until(async () => (await queue.depth()).waiting === 0, 'the job gone from the queue');
    expect(slow.jobs).toEqual([]);
    await queue.close();
    connection.disconnect();
  });

  it('is disconnected when it does not read, and its request cancelled', async () => {
    cluster.script = async (job) => {
      while (!job.cancelled.aborted) {
        job.say('x'.repeat(65_536));
        await sleep(1);
      }
    };
    const before = cluster.worker.jobs.length;
    const { hostname, port } = new URL(cluster.url);
    const socket = connect(Number(port), hostname);
    const body = JSON.stringify({ model: cluster.card.model, messages: MESSAGES, stream: true });
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TEST_KEY}\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    socket.on('error', () => {});
    socket.pause();
    await until(() => cluster.worker.jobs.length > before, 'the job at the worker');
    await until(() => cluster.worker.cancels.includes(cluster.lastJob.requestId), 'the cancel at the worker');
    socket.destroy();
  });
});

describe('a failure at the worker', () => {
  it('that comes with every attempt is an HTTP status before the first byte', async () => {
    cluster.script = async (job) => job.fail('engine_failed', 'The engine stopped.');
    for (const stream of [true, false]) {
      const begun = cluster.worker.jobs.length;
      const response = await cluster.ask({ stream });
      expect(response.status).toBe(500);
      expect(ErrorBody.parse(await response.json()).error.code).toBe('attempts_exhausted');
      expect(cluster.worker.jobs.slice(begun).map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    }
  });

  it('that comes with every attempt is an error event after the first byte, and ends the stream without [DONE]', async () => {
    cluster.script = async (job) => {
      if (job.job.epoch === 1) job.say('begin');
      job.fail('engine_failed', 'The engine stopped.');
    };
    const all = await eventsOf(await cluster.ask({ stream: true }));
    expect(ErrorBody.parse(all.at(-1)).error.code).toBe('attempts_exhausted');
    const stream = await client.chat.completions.create({
      model: cluster.card.model,
      messages: MESSAGES,
      stream: true,
    });
    const readAll = async () => {
      for await (const chunk of stream) expect(chunk.choices[0]?.finish_reason).toBeNull();
    };
    await expect(readAll()).rejects.toBeInstanceOf(OpenAI.APIError);
  });
});

describe('models', () => {
  it('are those of live workers', async () => {
    const { data } = await client.models.list();
    expect(data.map((model) => model.id)).toContain(cluster.card.model);
    expect(await client.models.retrieve(cluster.card.model)).toMatchObject({
      id: cluster.card.model,
      object: 'model',
      context_length: cluster.card.contextLength,
      live_workers: 1,
    });
    await expect(client.models.retrieve('nope')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });

  it('show as soon as a worker comes, and are 503 with Retry-After when the last one left', async () => {
    const brief = { ...cluster.card, model: 'tiny/brief' };
    const second = await ScriptedWorker.start({ redisUrl: cluster.redis.url, card: brief, run: ScriptedApi.hello });
    expect((await cluster.ask({ model: brief.model })).status).toBe(200);
    await second[Symbol.asyncDispose]();
    // What is admitted before the replica hears of it waits for another worker.
    await vi.waitFor(async () => {
      expect((await cluster.ask({ model: brief.model }, {}, AbortSignal.timeout(1_000))).status).toBe(503);
    });
    const response = await cluster.ask({ model: brief.model });
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(ErrorBody.parse(await response.json()).error.code).toBe('no_workers');
    expect((await client.models.list()).data.map((model) => model.id)).not.toContain(brief.model);
  });
});
