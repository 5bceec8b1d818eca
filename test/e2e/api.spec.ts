import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ModelCard } from '#contracts';
import { openModelFolder } from '#models';
import { connectRedis, ModelQueue } from '#queue';
import { OpenaiErrorBody as ErrorBody } from '../../apps/api/src/dialects/chat-answer/answer-fields.ts';
import { ChunkBody, CompletionBody } from '../../apps/api/src/dialects/openai-chat/answer-body.ts';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type ScriptedJob, ScriptedWorker } from '../support/scripted-worker.ts';

const CONTEXT_LENGTH = 256;
const messages = [{ role: 'user' as const, content: 'Hello' }];

let redis: RedisServer;
let api: ProductProcess;
let worker: ScriptedWorker;
let card: ModelCard;
let client: OpenAI;
let script: (job: ScriptedJob) => Promise<void>;

beforeAll(async () => {
  redis = await RedisServer.start();
  const folder = await openModelFolder('test/fixtures/models/tiny-llama');
  card = folder.card({ model: 'tiny/llama', contextLength: CONTEXT_LENGTH });
  worker = await ScriptedWorker.start({ redisUrl: redis.url, card, run: (job) => script(job) });
  api = await ProductProcess.start('api', { REDIS_URL: redis.url, MILLRACE_STREAM_BUFFER_BYTES: '65536' });
  client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
}, 120_000);

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  script = async (job) => {
    for (const text of ['He', 'llo', ' you']) job.say(text);
    job.finish();
  };
});

async function post(body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(`${api.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal: signal ?? null,
  });
}

const ask = (more: object = {}, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  post({ model: card.model, messages, ...more }, headers, signal);

/** The events of a whole stream: JSON of each `data:` line, with `[DONE]` as text. */
async function events(response: Response): Promise<unknown[]> {
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: '));
  return lines.map((line) => (line === 'data: [DONE]' ? '[DONE]' : JSON.parse(line.slice(6))));
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
    await sleep(5);
  }
}

const lastJob = () => worker.jobs.at(-1)!;

describe('an answer', () => {
  it('comes whole, as OpenAI’s client reads it, with exact usage', async () => {
    const { data, response } = await client.chat.completions
      .create({ model: card.model, messages, seed: 7, stop: ['END'], max_tokens: 20 })
      .withResponse();
    expect(data.choices[0]).toEqual({
      index: 0,
      message: { role: 'assistant', content: 'Hello you', refusal: null },
      logprobs: null,
      finish_reason: 'stop',
    });
    const promptTokens = lastJob().promptTokenIds.length;
    expect(promptTokens).toBeGreaterThan(5);
    expect(data.usage).toMatchObject({
      prompt_tokens: promptTokens,
      completion_tokens: 3,
      total_tokens: promptTokens + 3,
    });
    expect(CompletionBody.parse(data)).toEqual(data);
    expect(response.headers.get('x-request-id')).toMatch(/^req_/);
    expect(lastJob()).toMatchObject({
      sampling: { seed: 7, temperature: 1 },
      stop: { strings: ['END'], maxTokens: 20, tokenIds: card.eosTokenIds },
    });
  });

  it('comes as a stream with the role first, one finish reason, usage last, and [DONE]', async () => {
    const response = await ask(
      { stream: true, stream_options: { include_usage: true } },
      { 'x-request-id': 'trace-1' },
    );
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(response.headers.get('cache-control')).toMatch(/no-cache/);
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('x-request-id')).toBe('trace-1');
    const all = await events(response);
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
    script = async (job) => {
      for (const choice of [2, 0, 1]) job.say(`choice ${choice}`, { choice });
      for (const choice of [0, 1, 2]) job.finish({ choice, reason: choice === 1 ? 'length' : 'stop' });
    };
    const stream = client.chat.completions.stream({ model: card.model, messages, n: 3 });
    const completion = await stream.finalChatCompletion();
    expect(completion.choices.map((choice) => choice.message.content)).toEqual(['choice 0', 'choice 1', 'choice 2']);
    expect(completion.choices.map((choice) => choice.finish_reason)).toEqual(['stop', 'length', 'stop']);
    const whole = await client.chat.completions.create({ model: card.model, messages, n: 3 });
    expect(whole.choices.map((choice) => choice.message.content)).toEqual(['choice 0', 'choice 1', 'choice 2']);
    expect(whole.usage?.completion_tokens).toBe(3);
  });

  it('arrives token by token, not in one piece at the end', async () => {
    const turn = Promise.withResolvers<void>();
    script = async (job) => {
      job.say('first');
      await turn.promise;
      job.say('second');
      job.finish();
    };
    const stream = await client.chat.completions.create({ model: card.model, messages, stream: true });
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
    script = async (job) => {
      const [first, second] = [bytes.subarray(0, 1), bytes.subarray(1)].map(token);
      job.say('', { logprobs: [{ ...first!, top: [first!] }] });
      job.say('é', { logprobs: [{ ...second!, top: [] }] });
      job.finish();
    };
    const { choices } = await client.chat.completions.create({
      model: card.model,
      messages,
      logprobs: true,
      top_logprobs: 1,
    });
    expect(lastJob().topLogprobs).toBe(1);
    expect(choices[0]!.message.content).toBe('é');
    const content = choices[0]!.logprobs!.content!;
    expect(content.map((entry) => entry.bytes)).toEqual([[0xc3], [0xa9]]);
    expect(content[0]!.top_logprobs).toEqual([{ token: '\ufffd', logprob: -0.5, bytes: [0xc3] }]);
    expect(choices[0]!.logprobs!.refusal).toBeNull();
  });

  it('opens with a comment while a long prompt is read, so that nobody on the way takes it for dead', async () => {
    const read = Promise.withResolvers<void>();
    script = async (job) => {
      await read.promise;
      job.say('At last');
      job.finish();
    };
    const response = await post({ model: card.model, messages, stream: true });
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
    script = async (job) => {
      for (const character of new Intl.Segmenter().segment(text)) job.say(character.segment);
      job.finish();
    };
    const all = (await events(await ask({ stream: true }))) as { choices?: { delta: { content?: string } }[] }[];
    expect(all.map((event) => event.choices?.[0]?.delta.content ?? '').join('')).toBe(text);
  });

  it('may come in pieces larger than the buffer of a stream, as long as the client reads', async () => {
    script = async (job) => {
      for (let piece = 0; piece < 8; piece += 1) {
        job.say('x'.repeat(200_000));
        await sleep(20);
      }
      job.finish();
    };
    const response = await ask({ stream: true });
    const text = await response.text();
    expect(text).toContain('[DONE]');
    expect(text.length).toBeGreaterThan(1_600_000);
  });

  it('takes what is left of the context when no limit is given, and a drawn seed', async () => {
    await ask();
    const first = lastJob();
    await ask();
    expect(first.stop.maxTokens).toBe(CONTEXT_LENGTH - first.promptTokenIds.length);
    expect(first.sampling.seed).not.toBe(lastJob().sampling.seed);
  });

  it('runs past the end of the turn only with ignore_eos', async () => {
    await ask({ ignore_eos: true });
    expect(lastJob().stop.tokenIds).toEqual([]);
  });
});

describe('a client that leaves', () => {
  const waitForCancel = () => {
    script = async (job) => {
      job.say('begin');
      await once(job.cancelled, 'abort');
    };
  };

  it('cancels its running stream at the worker', async () => {
    waitForCancel();
    const cancelsMs: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      const abort = new AbortController();
      const response = await ask({ stream: true }, {}, abort.signal);
      await response.body!.getReader().read();
      const { requestId } = lastJob();
      const start = performance.now();
      abort.abort();
      await until(() => worker.cancels.includes(requestId), 'the cancel at the worker');
      cancelsMs.push(performance.now() - start);
    }
    // The quickest one: how long it takes when the machine lets it.
    expect(Math.min(...cancelsMs)).toBeLessThan(500);
  });

  it('cancels a request that is not streamed', async () => {
    waitForCancel();
    const before = worker.jobs.length;
    const abort = new AbortController();
    const response = ask({}, {}, abort.signal).catch(() => null);
    await until(() => worker.jobs.length > before, 'the job at the worker');
    abort.abort();
    await response;
    await until(() => worker.cancels.includes(lastJob().requestId), 'the cancel at the worker');
  });

  it('takes its queued job out of the queue', async () => {
    await using slow = await ScriptedWorker.start({
      redisUrl: redis.url,
      card: { ...card, model: 'tiny/queued' },
      run: () => Promise.resolve(),
    });
    slow.stopTaking();
    const connection = connectRedis(redis.url, 'producer');
    await once(connection, 'ready');
    const queue = new ModelQueue({ model: 'tiny/queued', redis: connection });
    const abort = new AbortController();
    const response = post({ model: 'tiny/queued', messages, stream: true }, {}, abort.signal);
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
    script = async (job) => {
      while (!job.cancelled.aborted) {
        job.say('x'.repeat(65_536));
        await sleep(1);
      }
    };
    const before = worker.jobs.length;
    const { hostname, port } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    const body = JSON.stringify({ model: card.model, messages, stream: true });
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TEST_KEY}\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    socket.on('error', () => {});
    socket.pause();
    await until(() => worker.jobs.length > before, 'the job at the worker');
    await until(() => worker.cancels.includes(lastJob().requestId), 'the cancel at the worker');
    socket.destroy();
  });
});

describe('a refusal', () => {
  it.each([
    ['no key', { authorization: '' }, 401, 'invalid_api_key'],
    ['a wrong key', { authorization: 'Bearer sk-wrong' }, 401, 'invalid_api_key'],
    ['another content type', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['a packed body', { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
  ])('of %s has its status', async (_, headers, status, code) => {
    const response = await ask({}, headers);
    expect(response.status).toBe(status);
    expect(ErrorBody.parse(await response.json()).error.code).toBe(code);
    expect(response.headers.get('x-request-id')).toBeTruthy();
  });

  it.each([
    ['malformed JSON', '{"model": ', 400, 'invalid_request', null],
    ['NaN', '{"model": "tiny/llama", "temperature": NaN}', 400, 'invalid_request', null],
    [
      'half a surrogate',
      '{"model": "a", "messages": [{"role": "user", "content": "\\ud800"}]}',
      400,
      'invalid_request',
      null,
    ],
    ['a key twice', '{"model": "a", "model": "b"}', 400, 'invalid_request', null],
    ['too many bytes', `{"model": "${'x'.repeat(5_000_000)}"}`, 413, 'request_too_large', null],
    ['a missing field', '{"model": "tiny/llama"}', 400, 'invalid_request', 'messages'],
    ['an empty body', '', 400, 'invalid_request', null],
  ])('of %s has its status', async (_, body, status, code, param) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect(ErrorBody.parse(await response.json()).error).toMatchObject({ code, param });
  });

  it('comes before the body is read when the key is wrong', async () => {
    const { hostname, port } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 999999\r\n\r\n',
    );
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /);
    socket.destroy();
  });

  it('names what is not supported', async () => {
    const failure = await client.chat.completions
      .create({ model: card.model, messages, store: true })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OpenAI.BadRequestError);
    expect(failure).toMatchObject({ code: 'unsupported_parameter', param: 'store' });
  });

  it('of a conversation that is too long has both numbers', async () => {
    const long = await post({ model: card.model, messages: [{ role: 'user', content: 'word '.repeat(20_000) }] });
    expect(long.status).toBe(400);
    expect(ErrorBody.parse(await long.json()).error).toMatchObject({
      code: 'context_length_exceeded',
      message: expect.stringMatching(/256 tokens, but the messages are \d{4,} tokens/),
    });
    const answer = await ask({ max_tokens: 250 });
    expect(ErrorBody.parse(await answer.json()).error.message).toMatch(/the request is \d+ tokens .*250 in max_tokens/);
  });

  it('of more choices than a worker has slots comes before the queue, and names them', async () => {
    const jobs = worker.jobs.length;
    for (const stream of [false, true]) {
      const response = await ask({ n: 9, stream });
      expect(response.status).toBe(400);
      expect(ErrorBody.parse(await response.json()).error).toMatchObject({
        code: 'invalid_request',
        param: 'n',
        message: expect.stringMatching(/^n is 9, but .* 8 choices .*Send several requests/),
      });
    }
    expect(worker.jobs).toHaveLength(jobs);
    script = async (job) => {
      for (let choice = 0; choice < 8; choice++) job.finish({ choice });
    };
    expect((await ask({ n: 8 })).status).toBe(200);
  });

  it('of an unknown model is 404 and names those that are served', async () => {
    const response = await ask({ model: 'nope' });
    expect(response.status).toBe(404);
    expect(ErrorBody.parse(await response.json()).error).toMatchObject({
      code: 'model_not_found',
      param: 'model',
      message: expect.stringContaining('"tiny/llama"'),
    });
  });

  it('of an unknown route and of a wrong method has OpenAI’s body', async () => {
    const missing = await fetch(`${api.url}/v1/nope`);
    expect([missing.status, ErrorBody.parse(await missing.json()).error.code]).toEqual([404, 'not_found']);
    const method = await fetch(`${api.url}/v1/chat/completions`);
    expect([method.status, ErrorBody.parse(await method.json()).error.code]).toEqual([405, 'method_not_allowed']);
  });
});

it('has nothing for pages of other origins unless it is told which', async () => {
  const headers = { origin: 'https://pages.example', 'access-control-request-method': 'POST' };
  const preflight = await fetch(`${api.url}/v1/chat/completions`, { method: 'OPTIONS', headers });
  const answer = await ask({}, { origin: 'https://pages.example' });
  expect([preflight.status, answer.status]).toEqual([405, 200]);
  const names = [...preflight.headers.keys(), ...answer.headers.keys()];
  expect(names.filter((name) => /^access-control-|^vary$/.test(name))).toEqual([]);
});

describe('what no route sees', () => {
  /** All that the server sends to these bytes until it closes the connection. */
  async function answerTo(bytes: string): Promise<string> {
    const { hostname, port } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    socket.write(bytes);
    let answer = '';
    for await (const piece of socket) answer += piece;
    return answer;
  }

  it.each([
    ['no HTTP', 'hello\r\n\r\n', 400],
    [
      'two lengths of a body',
      'POST /v1/models HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n',
      400,
    ],
    ['headers without an end', `GET /v1/models HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(40_000)}\r\n\r\n`, 431],
  ])('is refused with OpenAI’s body and an id: %s', async (_, bytes, status) => {
    const answer = await answerTo(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\r\nx-request-id: req_`));
    expect(ErrorBody.parse(JSON.parse(answer.split('\r\n\r\n')[1]!)).error.code).toBe('invalid_request');
  });

  it.each(['/v1/models/%zz', `/v1/requests/${'a'.repeat(5_000)}`])(
    'is an address that can not be read',
    async (path) => {
      const response = await fetch(`${api.url}${path}`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
      expect([response.status, response.headers.has('x-request-id')]).toEqual([400, true]);
      expect(ErrorBody.parse(await response.json()).error.code).toBe('invalid_request');
    },
  );
});

describe('a failure at the worker', () => {
  it('that comes with every attempt is an HTTP status before the first byte', async () => {
    script = async (job) => job.fail('engine_failed', 'The engine stopped.');
    for (const stream of [true, false]) {
      const begun = worker.jobs.length;
      const response = await ask({ stream });
      expect(response.status).toBe(500);
      expect(ErrorBody.parse(await response.json()).error.code).toBe('attempts_exhausted');
      expect(worker.jobs.slice(begun).map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    }
  });

  it('that comes with every attempt is an error event after the first byte, and ends the stream without [DONE]', async () => {
    script = async (job) => {
      if (job.job.epoch === 1) job.say('begin');
      job.fail('engine_failed', 'The engine stopped.');
    };
    const all = await events(await ask({ stream: true }));
    expect(ErrorBody.parse(all.at(-1)).error.code).toBe('attempts_exhausted');
    const stream = await client.chat.completions.create({ model: card.model, messages, stream: true });
    const readAll = async () => {
      for await (const chunk of stream) expect(chunk.choices[0]?.finish_reason).toBeNull();
    };
    await expect(readAll()).rejects.toBeInstanceOf(OpenAI.APIError);
  });
});

describe('models', () => {
  it('are those of live workers', async () => {
    const { data } = await client.models.list();
    expect(data.map((model) => model.id)).toContain(card.model);
    expect(await client.models.retrieve(card.model)).toMatchObject({
      id: card.model,
      object: 'model',
      context_length: CONTEXT_LENGTH,
      live_workers: 1,
    });
    await expect(client.models.retrieve('nope')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });

  it('show as soon as a worker comes, and are 503 with Retry-After when the last one left', async () => {
    const brief = { ...card, model: 'tiny/brief' };
    const second = await ScriptedWorker.start({ redisUrl: redis.url, card: brief, run: (job) => script(job) });
    expect((await ask({ model: brief.model })).status).toBe(200);
    await second[Symbol.asyncDispose]();
    await until(async () => (await ask({ model: brief.model })).status === 503, 'the model without workers');
    const response = await ask({ model: brief.model });
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(ErrorBody.parse(await response.json()).error.code).toBe('no_workers');
    expect((await client.models.list()).data.map((model) => model.id)).not.toContain(brief.model);
  });
});

describe('health and documentation', () => {
  it('need no key, on both ports', async () => {
    for (const base of [api.url, api.managementUrl]) {
      expect(await (await fetch(`${base}/healthz`)).json()).toEqual({ status: 'ok' });
      expect(await (await fetch(`${base}/readyz`)).json()).toMatchObject({
        status: 'ready',
        checks: { redis: 'ok', relay: 'ok' },
      });
    }
    const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as { openapi: string; paths: object };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toContain('/v1/chat/completions');
    for (const path of [
      'tenants',
      'queues',
      'tenants/{id}/keys',
      'tenants/{id}/usage',
      'tenants/{id}/ledger',
      'prices',
    ]) {
      expect(Object.keys(document.paths)).toContain(`/admin/v1/${path}`);
    }
    for (const path of ['/docs', '/docs/swagger-ui-bundle.js', '/docs/swagger-ui-init.js', '/docs/swagger-ui.css']) {
      expect((await fetch(`${api.url}${path}`)).status, path).toBe(200);
    }
  });

  it('tell an operator how the queues stand', async () => {
    const headers = { authorization: `Bearer ${TEST_KEY}` };
    const { queues } = (await (await fetch(`${api.url}/admin/v1/queues`, { headers })).json()) as { queues: object[] };
    expect(queues).toContainEqual({
      ...{ model: card.model, waiting: 0, liveWorkers: 1, estimatedWaitMs: 0 },
      ...{ active: expect.any(Number), liveSlots: expect.any(Number), drainRate: expect.any(Number) },
    });
  });

  it('never log what was asked or answered, nor the key', async () => {
    await ask({ messages: [{ role: 'user', content: 'my secret question' }] });
    expect(api.output).toContain('"route":"/v1/chat/completions"');
    expect(api.output).not.toMatch(/my secret question|Hello you/);
    expect(api.output).not.toContain(TEST_KEY);
  });
});

describe('the process', () => {
  it('goes on with open streams when Redis is lost, and refuses new requests at once', async () => {
    await using own = await RedisServer.start();
    const turn = Promise.withResolvers<void>();
    await using its = await ScriptedWorker.start({
      redisUrl: own.url,
      card,
      run: async (job) => {
        job.say('before');
        await turn.promise;
        job.say(' after');
        job.finish();
      },
    });
    await using other = await ProductProcess.start('api', { REDIS_URL: own.url });
    const request = (stream: boolean) =>
      fetch(`${other.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: card.model, messages, stream }),
      });
    const open = await request(true);
    await until(() => its.jobs.length === 1, 'the job at the worker');
    await own.kill();
    await sleep(50);
    const refusalsMs: number[] = [];
    for (let attempt = 0; attempt < 5; attempt++) {
      const start = performance.now();
      const refused = await request(true);
      refusalsMs.push(performance.now() - start);
      expect(refused.status).toBe(503);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(ErrorBody.parse(await refused.json()).error.code).toBe('unavailable');
    }
    // The quickest one: how long it takes when the machine lets it.
    expect(Math.min(...refusalsMs)).toBeLessThan(100);
    expect((await fetch(`${other.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${other.url}/healthz`)).status).toBe(200);
    turn.resolve();
    const all = await events(open);
    expect(all.at(-1)).toBe('[DONE]');
    expect(JSON.stringify(all)).toContain(' after');
    expect(its.jobs).toHaveLength(1);
  });

  it('finishes open streams after SIGTERM, takes no new ones, and exits with 0', async () => {
    await using other = await ProductProcess.start('api', { REDIS_URL: redis.url });
    const turn = Promise.withResolvers<void>();
    script = async (job) => {
      job.say('before');
      await turn.promise;
      job.say(' after');
      job.finish();
    };
    const url = `${other.url}/v1/chat/completions`;
    const request = {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: card.model, messages, stream: true }),
    };
    const open = await fetch(url, request);
    const stopped = other.stop();
    await until(async () => (await fetch(`${other.managementUrl}/readyz`)).status === 503, 'readiness red');
    const refused = await fetch(url, request);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    turn.resolve();
    expect((await events(open)).at(-1)).toBe('[DONE]');
    expect(await stopped).toBe(0);
  });

  it('ends streams that outlast the grace time with an error event', async () => {
    await using other = await ProductProcess.start('api', { REDIS_URL: redis.url, MILLRACE_GRACE_MS: '200' });
    script = async (job) => {
      job.say('before');
      await once(job.cancelled, 'abort');
    };
    const open = await fetch(`${other.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: card.model, messages, stream: true }),
    });
    const stopped = other.stop();
    expect(ErrorBody.parse((await events(open)).at(-1)).error.code).toBe('unavailable');
    expect(await stopped).toBe(0);
  });

  it('says which port is taken and exits with 1', async () => {
    const { port } = new URL(api.url);
    await using other = ProductProcess.spawn('api', { REDIS_URL: redis.url, MILLRACE_HTTP_PORT: port });
    expect((await other.exit).code).toBe(1);
    expect(other.output).toContain(`Port ${port} on 127.0.0.1 is taken by another process (MILLRACE_HTTP_PORT)`);
    expect(other.messages).toMatchObject([{ type: 'failed', message: expect.stringContaining('MILLRACE_HTTP_PORT') }]);
  });

  it('says that Redis does not answer and exits with 1', async () => {
    await using other = ProductProcess.spawn('api', { REDIS_URL: 'redis://:secret@127.0.0.1:1' });
    expect((await other.exit).code).toBe(1);
    expect(other.output).toMatch(/Redis at redis:\/\/127\.0\.0\.1:1 \(REDIS_URL\) does not answer: .*ECONNREFUSED/);
    expect(other.output).not.toContain('secret');
  });

  it('exits when whoever started it is gone', async () => {
    await using other = await ProductProcess.start('api', { REDIS_URL: redis.url });
    other.child.disconnect();
    expect((await other.exit).code).toBe(0);
  });
});
