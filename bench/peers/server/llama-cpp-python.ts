import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { ServerProcess } from './server-process.ts';

/** llama-cpp-python's HTTP server as `python -m llama_cpp.server` starts it: one stream at a time, the others wait. */
export function startLlamaCppPython(ggufFile: string, contextTokens: number): Promise<ServerProcess> {
  const python = fileURLToPath(new URL('.venv/bin/python', import.meta.url));
  return ServerProcess.start(python, (port) => {
    const settings = {
      model: ggufFile,
      host: '127.0.0.1',
      port,
      n_ctx: contextTokens,
      n_threads: availableParallelism(),
      n_threads_batch: availableParallelism(),
      // Without it a second client's request ends the first one's stream.
      interrupt_requests: 'false',
      verbose: 'false',
    };
    return [
      '-m',
      'llama_cpp.server',
      ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    ];
  });
}
