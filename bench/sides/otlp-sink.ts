import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveSide } from '../side.ts';

/** A collector that takes every span and keeps none; `measure` tells how many requests came and where it listens. */
serveSide(async () => {
  let exports = 0;
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      exports += 1;
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return async () => ({ url, exports });
});
