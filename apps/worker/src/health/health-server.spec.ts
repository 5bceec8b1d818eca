import { connect } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Metrics } from '#observability';
import { HealthServer } from './health-server.ts';

let server: HealthServer;
beforeEach(async () => {
  server = new HealthServer({
    liveness: () => [],
    readiness: () => ['loading'],
    stats: () => ({}),
    metrics: new Metrics({ process: 'worker', version: '1', runtime: false }),
  });
  await server.listen('127.0.0.1', 0);
});
afterEach(() => server.close());

/** The status line of the answer to exactly this request line; clients would tidy up the address. */
function statusOf(requestLine: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text.split('\r\n', 1)[0] ?? ''));
    socket.end(`${requestLine}\r\nHost: x\r\nConnection: close\r\n\r\n`);
  });
}

it('answers addresses that no URL can be, and lives on', async () => {
  for (const address of ['//', 'http://[', '//:99999/metrics']) {
    expect(await statusOf(`GET ${address} HTTP/1.1`)).toBe('HTTP/1.1 400 Bad Request');
  }
  expect(await statusOf('GET /healthz HTTP/1.1')).toBe('HTTP/1.1 200 OK');
  expect(await statusOf('GET /readyz HTTP/1.1')).toBe('HTTP/1.1 503 Service Unavailable');
  expect(await statusOf('POST /stats HTTP/1.1')).toBe('HTTP/1.1 405 Method Not Allowed');
});
