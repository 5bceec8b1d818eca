import { once } from 'node:events';
import { connect } from 'node:net';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OpenaiErrorBody as ErrorBody } from '../../apps/api/src/dialects/chat-answer/answer-fields.ts';
import { TEST_KEY } from '../support/product-process.ts';
import { MESSAGES, ScriptedApi } from '../support/scripted-api.ts';

let cluster: ScriptedApi;
beforeAll(async () => {
  cluster = await ScriptedApi.start();
}, 120_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  cluster.script = ScriptedApi.hello;
});

describe('a refusal', () => {
  it.each([
    ['no key', { authorization: '' }, 401, 'invalid_api_key'],
    ['a wrong key', { authorization: 'Bearer sk-wrong' }, 401, 'invalid_api_key'],
    ['another content type', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['a packed body', { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
  ])('of %s has its status', async (_, headers, status, code) => {
    const response = await cluster.ask({}, headers);
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
    const response = await cluster.post(body);
    expect(response.status).toBe(status);
    expect(ErrorBody.parse(await response.json()).error).toMatchObject({ code, param });
  });

  it('comes before the body is read when the key is wrong', async () => {
    const { hostname, port } = new URL(cluster.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 999999\r\n\r\n',
    );
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /);
    socket.destroy();
  });

  it('names what is not supported', async () => {
    const client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
    const failure = await client.chat.completions
      .create({ model: cluster.card.model, messages: MESSAGES, store: true })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OpenAI.BadRequestError);
    expect(failure).toMatchObject({ code: 'unsupported_parameter', param: 'store' });
  });

  it('of a conversation that is too long has both numbers', async () => {
    const long = await cluster.post({
      model: cluster.card.model,
      messages: [{ role: 'user', content: 'word '.repeat(20_000) }],
    });
    expect(long.status).toBe(400);
    expect(ErrorBody.parse(await long.json()).error).toMatchObject({
      code: 'context_length_exceeded',
      message: expect.stringMatching(/256 tokens, but the messages are \d{4,} tokens/),
    });
    const answer = await cluster.ask({ max_tokens: 250 });
    expect(ErrorBody.parse(await answer.json()).error.message).toMatch(/the request is \d+ tokens .*250 in max_tokens/);
  });

  it('of more choices than a worker has slots comes before the queue, and names them', async () => {
    const jobs = cluster.worker.jobs.length;
    for (const stream of [false, true]) {
      const response = await cluster.ask({ n: 9, stream });
      expect(response.status).toBe(400);
      expect(ErrorBody.parse(await response.json()).error).toMatchObject({
        code: 'invalid_request',
        param: 'n',
        message: expect.stringMatching(/^n is 9, but .* 8 choices .*Send several requests/),
      });
    }
    expect(cluster.worker.jobs).toHaveLength(jobs);
    cluster.script = async (job) => {
      for (let choice = 0; choice < 8; choice++) job.finish({ choice });
    };
    expect((await cluster.ask({ n: 8 })).status).toBe(200);
  });

  it('of an unknown model is 404 and names those that are served', async () => {
    const response = await cluster.ask({ model: 'nope' });
    expect(response.status).toBe(404);
    expect(ErrorBody.parse(await response.json()).error).toMatchObject({
      code: 'model_not_found',
      param: 'model',
      message: expect.stringContaining('"tiny/llama"'),
    });
  });

  it('of an unknown route and of a wrong method has OpenAI’s body', async () => {
    const missing = await fetch(`${cluster.url}/v1/nope`);
    expect([missing.status, ErrorBody.parse(await missing.json()).error.code]).toEqual([404, 'not_found']);
    const method = await fetch(`${cluster.url}/v1/chat/completions`);
    expect([method.status, ErrorBody.parse(await method.json()).error.code]).toEqual([405, 'method_not_allowed']);
    const named = await fetch(`${cluster.url}/v1/models/tiny%2Fllama`, { method: 'DELETE' });
    expect([named.status, named.headers.get('allow')]).toEqual([405, 'GET']);
    const request = await fetch(`${cluster.url}/v1/requests/x`, { method: 'PUT', body: '{' });
    expect([request.status, request.headers.get('allow')]).toEqual([405, 'GET, DELETE']);
  });
});

describe('what no route sees', () => {
  /** All that the server sends to these bytes until it closes the connection. */
  async function answerTo(bytes: string): Promise<string> {
    const { hostname, port } = new URL(cluster.url);
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
    ['headers too long', `GET /v1/models HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(40_000)}\r\n\r\n`, 431],
    ['headers without an end', `GET /v1/models HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(16_000_000)}`, 431],
  ])('is refused with OpenAI’s body and an id: %s', async (_, bytes, status) => {
    const answer = await answerTo(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\r\nx-request-id: req_`));
    expect(ErrorBody.parse(JSON.parse(answer.split('\r\n\r\n')[1]!)).error.code).toBe('invalid_request');
  });

  it('is not listened to for ever: who goes on sending is cut off', async () => {
    const { hostname, port } = new URL(cluster.url);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    const sending = setInterval(() => socket.write('hello\r\n\r\n'), 50);
    try {
      socket.resume();
      const [error] = await once(socket, 'error');
      expect(error).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) });
    } finally {
      clearInterval(sending);
      socket.destroy();
    }
  });

  it.each(['/v1/models/%zz', `/v1/requests/${'a'.repeat(5_000)}`])(
    'is an address that can not be read',
    async (path) => {
      const response = await fetch(`${cluster.url}${path}`, { headers: { authorization: `Bearer ${TEST_KEY}` } });
      expect([response.status, response.headers.has('x-request-id')]).toEqual([400, true]);
      expect(ErrorBody.parse(await response.json()).error.code).toBe('invalid_request');
    },
  );
});
