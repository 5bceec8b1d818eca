import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { TaskLateError } from './task-late-error.ts';
import { ThreadLostError } from './thread-lost-error.ts';

/** `.ts` from sources, `.js` when built. */
const EXTENSION = extname(import.meta.url);
/** From sources, `#models` and its like have to resolve to sources in the thread too. */
const EXEC_ARGV = EXTENSION === '.ts' ? ['--conditions=millrace-source'] : [];

/**
 * A thread that answers one message after another: the next is posted when the one before it is answered, which is the caller's to see to
 * (`WorkLine`). It is started with the first message, and anew with the next one when it has ended. It does not keep the process alive.
 */
export class TaskThread<Message, Reply> {
  readonly #entry: URL;
  #worker: Worker | null = null;

  /** @param entry the file that calls `serveTasks`, without its extension */
  constructor(entry: URL) {
    this.#entry = new URL(`${entry.href}${EXTENSION}`);
  }

  /**
   * @param limitMs how long the reply may take, once the thread has loaded its code; as long as it likes by default
   * @throws TaskLateError behind the limit; the thread is ended. ThreadLostError when it ends before it has answered
   */
  async ask(message: Message, limitMs: number | null = null): Promise<Reply> {
    const worker = this.#worker ?? (await this.#start());
    worker.postMessage(message);
    return (await this.#nextOf(worker, limitMs)) as Reply;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }

  /** @returns when the thread is ready */
  async #start(): Promise<Worker> {
    const worker = new Worker(this.#entry, { execArgv: EXEC_ARGV });
    worker.unref();
    const forget = (): void => {
      if (this.#worker === worker) this.#worker = null;
    };
    worker.on('error', forget).on('exit', forget);
    this.#worker = worker;
    await this.#nextOf(worker, null);
    return worker;
  }

  #nextOf(worker: Worker, limitMs: number | null): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const fail = (error: unknown): void => reject(new ThreadLostError(error));
    const exit = (): void => reject(new ThreadLostError());
    const giveUp = (limitMs: number): void => {
      reject(new TaskLateError(limitMs));
      void this.close();
    };
    const timer = limitMs === null ? undefined : setTimeout(giveUp, limitMs, limitMs);
    worker.once('message', resolve).once('error', fail).once('exit', exit);
    return promise.finally(() => {
      clearTimeout(timer);
      worker.off('message', resolve).off('error', fail).off('exit', exit);
    });
  }
}
