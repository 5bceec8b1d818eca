import { EventEmitter } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ChatClient } from './chat-client.ts';
import { ChatSession } from './chat-session.ts';
import { converse } from './converse.ts';
import { TerminalPrompt } from './terminal-prompt.ts';

/** Bodies that were asked, and what becomes of the next. */
const asked: { messages: { role: string; content: string }[] }[] = [];
let answer: (response: ServerResponse) => void;
const server = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += piece;
  asked.push(JSON.parse(body));
  answer(response);
});

const chunk = (delta: object) => `data: ${JSON.stringify({ choices: [{ delta }] })}\n\n`;
const say = (text: string) => (response: ServerResponse) => {
  response.end(`${chunk({ content: text })}data: [DONE]\n\n`);
};

beforeEach(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterEach(() => {
  asked.length = 0;
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});

/** A conversation at a terminal of a test's own: `type` is what a person does, `seen` waits for what they see. */
function open() {
  const keys = new PassThrough();
  let screen = '';
  const write = (text: string | Buffer) => {
    screen += text;
    return true;
  };
  const style = { dim: (text: string) => text, eraseLine: '' };
  const prompt = new TerminalPrompt(keys, Object.assign(new EventEmitter(), { columns: 80, write }));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new ChatClient({ url, key: 'sk-test-key' });
  const session = new ChatSession({ client, model: 'm', system: '', sampling: {}, style, write });
  const ended = converse({ session, prompt, style, write }).finally(() => prompt[Symbol.dispose]());
  return {
    ended,
    type: (text: string) => keys.write(text),
    seen: async (text: string | RegExp) => {
      await expect.poll(() => stripVTControlCharacters(screen)).toMatch(text);
      screen = '';
    },
  };
}

it('sends what was said before, with several lines as one message, and leaves with Ctrl-D', async () => {
  const { type, seen, ended } = open();
  answer = say('Hello');
  type('Hi\r');
  await seen(/Hello\n.*> /s);
  type('"""one\rtwo"""\r');
  await seen(/Hello\n.*> /s);
  type('\u001b[200~three\rfour\u001b[201~\r');
  await seen(/Hello\n.*> /s);
  expect(asked.at(-1)?.messages.map(({ content }) => content)).toEqual([
    'Hi',
    'Hello',
    'one\ntwo',
    'Hello',
    'three\nfour',
  ]);
  type('\u0004');
  await ended;
});

it('Ctrl-C stops an answer, whose beginning stays; twice at the prompt it leaves', async () => {
  const { type, seen, ended } = open();
  const cancelled = Promise.withResolvers<void>();
  answer = (response) => {
    response.on('close', () => cancelled.resolve());
    response.write(chunk({ content: 'Once' }));
  };
  type('A story\r');
  await seen('Once');
  type('\u0003');
  await cancelled.promise;
  await seen(/stopped; Ctrl-C again leaves.*> /s);
  answer = say('Upon');
  type('Go on\r');
  await seen(/Upon\n.*> /s);
  expect(asked.at(-1)?.messages.map(({ content }) => content)).toEqual(['A story', 'Once', 'Go on']);
  type('half a line\u0003');
  await seen(/half a line\n.*> /s);
  type('\u0003');
  await seen('Ctrl-C again leaves');
  type('\u0003');
  await ended;
});

it('what goes wrong is said, and can be tried again', async () => {
  const { type, seen, ended } = open();
  answer = (response) => {
    response.writeHead(429, { 'retry-after-ms': '1200' });
    response.end(JSON.stringify({ error: { message: 'The queue is full.', code: 'queue_full' } }));
  };
  type('Hi\r');
  await seen(/The queue is full\. Try again in 1\.2 s\.\n.*> /s);
  answer = (response) => response.end(chunk({ content: 'Hal' }));
  type('/retry\r');
  await seen(/Hal\n.*The connection broke off.*> /s);
  answer = say('Hello');
  type('/retry\r');
  await seen(/Hello\n.*> /s);
  expect(asked.map(({ messages }) => messages)).toEqual(Array(3).fill([{ role: 'user', content: 'Hi' }]));
  type('/nonsense\r');
  await seen(/no \/nonsense.*> /s);
  type('/quit\r');
  await ended;
});
