import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SseStream } from './sse-stream.ts';

let server: Server;
let url: string;
let serve: (response: ServerResponse) => void;

beforeEach(async () => {
  server = createServer((_, response) => serve(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const streamOn = (response: ServerResponse, more: { keepaliveMs?: number; maxBufferedBytes?: number } = {}) =>
  new SseStream(response, {
    headers: () => ({ 'x-request-id': 'r' }),
    maxBufferedBytes: 100_000,
    keepaliveMs: 1_000,
    ...more,
  });

describe('SseStream', () => {
  it('sends nothing, not even headers, before its first event', () => {
    serve = (response) => {
      const stream = streamOn(response);
      expect([stream.opened, response.headersSent]).toEqual([false, false]);
      stream.end();
    };
    return fetch(url).then((response) => response.text());
  });

  it('writes unnamed events, each ended by a blank line, and [DONE] exactly', async () => {
    serve = (response) => {
      const stream = streamOn(response);
      stream.events([{ text: 'line\nbreak' }, 2]);
      stream.done();
      stream.events(['late']);
    };
    const response = await fetch(url);
    expect(response.headers.get('x-request-id')).toBe('r');
    expect(await response.text()).toBe('data: {"text":"line\\nbreak"}\n\ndata: 2\n\ndata: [DONE]\n\n');
  });

  it('fills silence with comments that say what it waits for', async () => {
    serve = async (response) => {
      const stream = streamOn(response, { keepaliveMs: 20 });
      stream.silence = 'queued';
      stream.comment('begin');
      await sleep(70);
      stream.silence = 'keepalive';
      await sleep(70);
      stream.done();
    };
    const text = await (await fetch(url)).text();
    expect(text).toMatch(/^: begin\n\n(: queued\n\n)+(: keepalive\n\n)+data: \[DONE\]\n\n$/);
  });

  it('sends what is written in one turn as one chunk, the first with the headers, in characters of any length', async () => {
    serve = async (response) => {
      const stream = streamOn(response);
      for (const texts of [['a', 'b'], ['ü', '漢字', '🙂'], ['c']]) {
        for (const text of texts) stream.events([text]);
        await sleep(5);
      }
      stream.events(['d']);
      stream.done();
    };
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    await once(socket, 'close');
    const chunk = (...events: string[]) => {
      const body = events.map((event) => `data: ${event}\n\n`).join('');
      return `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;
    };
    const chunks = [
      chunk('"a"', '"b"'),
      chunk('"ü"', '"漢字"', '"🙂"'),
      chunk('"c"'),
      chunk('"d"', '[DONE]'),
      '0\r\n\r\n',
    ];
    expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe(chunks.join(''));
  });

  it('answers one after another where requests came together', async () => {
    const streams: SseStream[] = [];
    serve = async (response) => {
      streams.push(streamOn(response));
      if (streams.length < 2) return;
      for (const [place, stream] of streams.entries()) {
        stream.events([`first of ${place}`]);
        await sleep(5);
        stream.events([`second of ${place}`]);
        stream.done();
      }
    };
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    await once(socket, 'close');
    expect(text.match(/(first|second) of \d|DONE/g)).toEqual([
      'first of 0',
      'second of 0',
      'DONE',
      'first of 1',
      'second of 1',
      'DONE',
    ]);
  });

  it('writes without chunks to a client of HTTP/1.0', async () => {
    serve = async (response) => {
      const stream = streamOn(response);
      stream.events([1]);
      await sleep(5);
      stream.events([2]);
      stream.done();
    };
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    socket.write('GET / HTTP/1.0\r\n\r\n');
    await once(socket, 'close');
    expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe('data: 1\n\ndata: 2\n\ndata: [DONE]\n\n');
  });

  it('disconnects a client that leaves more than the bound unread, and holds no more than that', async () => {
    const closed = Promise.withResolvers<number>();
    serve = async (response) => {
      let most = 0;
      const stream = streamOn(response);
      const piece = 'x'.repeat(50_000);
      while (!response.destroyed) {
        stream.events([piece]);
        most = Math.max(most, response.writableLength);
        await sleep(0);
      }
      closed.resolve(most);
    };
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    socket.pause();
    expect(await closed.promise).toBeLessThan(200_000);
    socket.destroy();
  });
});
