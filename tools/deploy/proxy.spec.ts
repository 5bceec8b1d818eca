import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasNginx, Nginx, nginxSettings } from '../../test/support/nginx.ts';

// The proxy of docker-compose.yml, with its own settings, in front of two scripted replicas on loopback, where each answer
// can be told; test/e2e/proxy.spec.ts has real ones. Where there is no nginx, its settings are held to be what they were
// when there was one.

class Replica {
  readonly #server: Server;
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => void = () => {};
  readonly bodies: string[] = [];
  readonly closed = Promise.withResolvers<void>();

  constructor() {
    this.#server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      this.bodies.push(body);
      response.on('close', () => this.closed.resolve());
      this.handle(request, response, body);
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

if (hasNginx) {
  describe("nginx with docker-compose's settings", () => {
    const replicas = [new Replica(), new Replica()] as const;
    let nginx: Nginx;
    let url: string;

    beforeAll(async () => {
      for (const replica of replicas) replica.handle = (_request, response) => response.end();
      nginx = await Nginx.before([await replicas[0].listen(), await replicas[1].listen()]);
      url = nginx.url;
      for (const replica of replicas) replica.bodies.length = 0;
    });

    afterAll(async () => {
      await nginx?.[Symbol.asyncDispose]();
      for (const replica of replicas) await replica.close();
    });

    const post = (body = 'question') => fetch(`${url}/v1/chat/completions`, { method: 'POST', body });
    const both = (handle: Replica['handle']) => {
      for (const replica of replicas) replica.handle = handle;
    };

    it('passes every event and every comment on at once, and the end of the client to the replica', async () => {
      let say: (text: string) => void = () => {};
      const ended = Promise.withResolvers<void>();
      both((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.flushHeaders();
        say = (text) => response.write(text);
        response.on('close', () => ended.resolve());
      });
      const response = await post();
      const reader = response.body!.getReader();
      // Each is read before the next is written: nothing waits in a buffer for more.
      for (const text of [': queued position=3 eta_ms=1200\n\n', 'data: {"a":1}\n\n', ':\n\n', 'data: [DONE]\n\n']) {
        say(text);
        expect(new TextDecoder().decode((await reader.read()).value)).toBe(text);
      }
      await reader.cancel();
      await ended.promise;
    });

    it('sends what a draining replica refuses to another one, with its body, and passes on what both refuse', async () => {
      const [draining, ready] = replicas;
      draining.handle = (_request, response) => response.writeHead(503, { 'retry-after': '1' }).end('stopping');
      ready.handle = (_request, response, body) => response.end(`answer to ${body}`);
      for (let attempt = 0; attempt < 6; attempt += 1)
        expect(await (await post(`q${attempt}`)).text()).toBe(`answer to q${attempt}`);
      expect(draining.bodies.length).toBeGreaterThan(0);

      // Also many times in a row: a refusal does not take a replica out of service.
      both((_request, response) => response.writeHead(503, { 'retry-after': '7' }).end('no workers'));
      for (let attempt = 0; attempt < 4; attempt += 1) {
        const response = await post();
        expect([response.status, response.headers.get('retry-after'), await response.text()]).toEqual([
          503,
          '7',
          'no workers',
        ]);
      }
      both((_request, response) => response.end('again'));
      expect(await (await post()).text()).toBe('again');
    });

    it('does not repeat what is refused for the client (429), nor an answer that broke in the middle', async () => {
      for (const replica of replicas) replica.bodies.length = 0;
      both((_request, response) => response.writeHead(429, { 'retry-after': '3' }).end('later'));
      expect((await post()).status).toBe(429);
      both((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: 1\n\n');
        setTimeout(() => response.destroy(), 20);
      });
      await expect(post().then((response) => response.text())).rejects.toThrow();
      expect(replicas[0].bodies.length + replicas[1].bodies.length).toBe(2);
    });

    it('goes on with the other replica when one is gone', async () => {
      await replicas[0].close();
      replicas[1].handle = (_request, response) => response.end('here');
      for (let attempt = 0; attempt < 4; attempt += 1) expect(await (await post()).text()).toBe('here');
    });
  });
}

it('the proxy neither buffers answers nor takes a replica out of service for a refusal', () => {
  for (const line of ['proxy_buffering off;', 'gzip off;', 'proxy_http_version 1.1;', 'max_fails=0']) {
    expect(nginxSettings).toContain(line);
  }
  expect(nginxSettings).toMatch(/proxy_next_upstream error timeout http_503 non_idempotent;/);
});
