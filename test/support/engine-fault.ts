import { once } from 'node:events';
import type { ProductProcess } from './product-process.ts';

/** What a worker has to be started with so that `inEngineThread` can reach it: a debugger's port of its own, closed as yet. */
export const FAULTY_ENGINE = { NODE_OPTIONS: '--inspect-port=0' };

/**
 * Runs an expression in the thread of a worker's engine, through Node's inspector: the product itself has no way to be
 * made to fail. `process.exit(1)` is a crash of the thread, `for (;;);` a hang.
 */
export async function inEngineThread(worker: ProductProcess, expression: string): Promise<void> {
  const socket = new WebSocket(await debuggerUrl(worker));
  await once(socket, 'open');
  const send = (method: string, params: object) => socket.send(JSON.stringify({ id: 1, method, params }));
  const attached = new Promise<string>((resolve) => {
    socket.addEventListener('message', ({ data }) => {
      const { method, params } = JSON.parse(String(data));
      if (method === 'NodeWorker.attachedToWorker' && /engine-thread/.test(params.workerInfo.url)) {
        resolve(params.sessionId);
      }
    });
  });
  send('NodeWorker.enable', { waitForDebuggerOnStart: false });
  const sessionId = await attached;
  const message = JSON.stringify({ id: 2, method: 'Runtime.evaluate', params: { expression } });
  send('NodeWorker.sendMessageToWorker', { sessionId, message });
  // The answer never comes from a thread that has ended or hangs; the main thread's does.
  const answered = once(socket, 'message');
  send('NodeWorker.disable', {});
  await answered;
  socket.close();
}

async function debuggerUrl(worker: ProductProcess): Promise<string> {
  const find = () => /Debugger listening on (ws:\S+)/.exec(worker.output)?.[1];
  if (find() === undefined) worker.child.kill('SIGUSR1');
  for (let attempt = 0; attempt < 500; attempt++) {
    const url = find();
    if (url !== undefined) return url;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`the worker opened no port for a debugger:\n${worker.output}`);
}
