import { createServer } from 'node:net';
import { StartError } from '../start-error.ts';

/** A TCP port that is free on `host` now. */
export async function freePort(host: string): Promise<number> {
  return probe(host, 0);
}

/** True when a server can listen on the port; errors other than "in use" (unknown host, no permission) are thrown. */
export async function isPortFree(host: string, port: number): Promise<boolean> {
  try {
    await probe(host, port);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false;
    throw new StartError(
      `Nothing can listen on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}. ` +
        'Set another MILLRACE_HTTP_HOST or MILLRACE_HTTP_PORT.',
      { cause: error },
    );
  }
}

/** @throws StartError that names the variable, the port and what to do */
export async function requireFreePort(variable: string, host: string, port: number): Promise<void> {
  if (await isPortFree(host, port)) return;
  throw new StartError(
    `Port ${port} on ${host} is in use by another program.\n` +
      `Stop that program, or choose another port: ${variable}=${port + 10} npm start (0 picks a free one).`,
  );
}

function probe(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error(`no address for ${host}:${port}`));
      });
    });
  });
}
