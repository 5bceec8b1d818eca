import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { MillraceError, type ModelCard } from '#contracts';
import type { PromptTraits } from '#models';
import type { Conversation, RenderedTokens } from './prompt-source.ts';
import { renderError } from './render-error.ts';
import type { RenderMessage, RenderReply } from './render-message.ts';

const EXTENSION = extname(import.meta.url);
const ENTRY = new URL(`./render-thread${EXTENSION}`, import.meta.url);
/** From sources, `#models` and its like have to resolve to sources in the thread too. */
const EXEC_ARGV = EXTENSION === '.ts' ? ['--conditions=millrace-source'] : [];

interface Task {
  readonly message: RenderMessage;
  readonly gone: AbortSignal | null;
  readonly resolve: (reply: RenderReply) => void;
  readonly reject: (error: MillraceError) => void;
}

/**
 * One rendering thread and the line before it. A task is posted when the one before it is done, so that a request whose
 * client has gone costs nothing any more. A thread that dies is replaced at the next task.
 */
export class RenderLane {
  readonly #maxWaiting: number;
  readonly #cards = new Map<string, ModelCard>();
  readonly #waiting: Task[] = [];
  #running: Task | null = null;
  #thread: Worker | null = null;
  #lastId = 0;

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Has the thread load its code now, before the first card. */
  start(): void {
    this.#thread ??= this.#startThread();
  }

  async load(cardHash: string, card: ModelCard): Promise<PromptTraits> {
    const reply = await this.#submit({ type: 'load', id: this.#nextId(), cardHash, card }, null);
    if (reply.type !== 'loaded') throw unexpected(reply);
    this.#cards.set(cardHash, card);
    return reply.traits;
  }

  forget(cardHash: string): void {
    if (!this.#cards.delete(cardHash)) return;
    this.#submit({ type: 'forget', id: this.#nextId(), cardHash }, null).catch(() => null);
  }

  /** @throws MillraceError overloaded when too many wait, request_cancelled when the client is gone */
  async render(cardHash: string, conversation: Conversation, gone: AbortSignal): Promise<RenderedTokens> {
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new MillraceError('overloaded', 'Too many requests are being prepared. Try again in a second.', {
        retryAfterMs: 1_000,
      });
    }
    const reply = await this.#submit({ type: 'render', id: this.#nextId(), cardHash, conversation }, gone);
    if (reply.type !== 'rendered') throw unexpected(reply);
    return reply;
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    await thread?.terminate();
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #submit(message: RenderMessage, gone: AbortSignal | null): Promise<RenderReply> {
    const { promise, resolve, reject } = Promise.withResolvers<RenderReply>();
    const task = { message, gone, resolve, reject };
    this.#waiting.push(task);
    gone?.addEventListener('abort', () => this.#drop(task), { once: true });
    this.#runNext();
    return promise;
  }

  /** What waits is not begun; what runs is finished, and nobody hears of it. */
  #drop(task: Task): void {
    const at = this.#waiting.indexOf(task);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    task.reject(new MillraceError('request_cancelled', 'The client closed its connection.'));
  }

  #runNext(): void {
    while (this.#running === null) {
      const task = this.#waiting.shift();
      if (task === undefined) return;
      if (task.gone?.aborted) {
        task.reject(new MillraceError('request_cancelled', 'The client closed its connection.'));
        continue;
      }
      this.#running = task;
      this.#thread ??= this.#startThread();
      this.#thread.postMessage(task.message);
    }
  }

  #startThread(): Worker {
    const thread = new Worker(ENTRY, { execArgv: EXEC_ARGV });
    thread.on('message', (reply: RenderReply) => this.#take(reply));
    thread.on('error', (error) => this.#lose(thread, error));
    thread.on('exit', () => this.#lose(thread, null));
    thread.unref();
    // Replies to these have no task: the cards were usable before.
    for (const [cardHash, card] of this.#cards) thread.postMessage({ type: 'load', id: 0, cardHash, card });
    return thread;
  }

  #take(reply: RenderReply): void {
    const task = this.#running;
    if (task === null || reply.id !== task.message.id) return;
    this.#running = null;
    if (reply.type === 'failed') {
      task.reject(renderError(reply.code, reply.message, reply.param));
    } else {
      task.resolve(reply);
    }
    this.#runNext();
  }

  #lose(thread: Worker, cause: unknown): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    const task = this.#running;
    this.#running = null;
    task?.reject(
      new MillraceError('internal_error', 'The thread that prepares prompts stopped; send it again.', { cause }),
    );
    this.#runNext();
  }
}

function unexpected({ type }: RenderReply): MillraceError {
  return new MillraceError('internal_error', `The thread that prepares prompts answered with "${type}".`);
}
