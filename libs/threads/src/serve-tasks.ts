import { parentPort } from 'node:worker_threads';

/**
 * What the entry file of a `TaskThread` calls when all it needs is loaded.
 * @param work makes the one reply to a message; what it throws ends the thread
 */
export function serveTasks<Message, Reply>(work: (message: Message) => Reply): void {
  const port = parentPort;
  if (port === null) throw new Error('serveTasks is called in the entry file of a thread');
  port.on('message', (message: Message) => port.postMessage(work(message)));
  // The first message says that the thread is ready.
  port.postMessage(null);
}
