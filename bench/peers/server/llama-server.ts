import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { ServerProcess } from './server-process.ts';

/** llama.cpp's own server, with continuous batching over as many slots as there are streams. */
export function startLlamaServer(ggufFile: string, slots: number, slotTokens: number): Promise<ServerProcess> {
  const binary = fileURLToPath(new URL('llama-server', import.meta.url));
  return ServerProcess.start(binary, (port) => [
    ...['--model', ggufFile, '--host', '127.0.0.1', '--port', String(port)],
    ...['--parallel', String(slots), '--ctx-size', String(slots * slotTokens)],
    ...['--threads', String(availableParallelism()), '--threads-batch', String(availableParallelism())],
    '--log-disable',
  ]);
}
