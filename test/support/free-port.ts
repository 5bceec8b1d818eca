import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports from which systems take those of outgoing connections: between this look and the server's start, or while
 * a server is down, no connection may come to sit on its port, be it that of a client that tries to reach it.
 */
const FIRST = 20_000;
const COUNT = 12_000;

/** A port of loopback for a server that a test starts, and may end and start again. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = FIRST + randomInt(COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free TCP port among 100 from ${FIRST} on`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
