import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { MillraceError, type ModelCard } from '#contracts';
import type { PromptTraits } from '#models';
import { TenantLine } from '#threads';
import type { Conversation, RenderedTokens } from './prompt-source.ts';
import { renderError } from './render-error.ts';
import type { RenderMessage, RenderReply } from './render-message.ts';

const EXTENSION = extname(import.meta.url);
const ENTRY = new URL(`./render-thread${EXTENSION}`, import.meta.url);
/** From sources, `#models` and its like have to resolve to sources in the thread too. */
const EXEC_ARGV = EXTENSION === '.ts' ? ['--conditions=millrace-source'] : [];

/** Of messages whose replies nobody awaits. */
const NOBODY = 0;
/** The newest rendering's part in what one is thought to take. */
const NEWEST = 1 / 8;
/** Clients that were refused are not asked back sooner. */
const LEAST_WAIT_MS = 1_000;

interface Task {
  readonly message: Extract<RenderMessage, { type: 'load' | 'render' }>;
  readonly resolve: (reply: RenderReply) => void;
  readonly reject: (error: MillraceError) => void;
}

/**
 * One rendering thread and the line before it, in which tenants are served in turn. A task is posted when the one before it is
 * done, so that a request whose client has gone costs nothing any more. A thread that dies is replaced at the next task.
 */
export class RenderLane {
  readonly #cards = new Map<string, ModelCard>();
  /** Stand before all prompts: there are few, and a model waits for each. */
  readonly #loads: Task[] = [];
  readonly #line: TenantLine<Task>;
  /** Cards that are dropped when no prompt waits, for it might need them. */
  readonly #leaving = new Set<string>();
  readonly #nowMs: () => number;
  #running: Task | null = null;
  #runningSinceMs = 0;
  /** What a prompt takes, of late; 0 before the first. */
  #renderMs = 0;
  #thread: Worker | null = null;
  #lastId = 0;

  /** @param mostWaiting prompts that wait at a time */
  constructor(mostWaiting: number, nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#line = new TenantLine(mostWaiting);
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** Has the thread load its code now, before the first card. */
  start(): void {
    this.#thread ??= this.#startThread();
  }

  async load(cardHash: string, card: ModelCard): Promise<PromptTraits> {
    this.#leaving.delete(cardHash);
    const { promise, resolve, reject } = Promise.withResolvers<RenderReply>();
    this.#loads.push({ message: { type: 'load', id: this.#nextId(), cardHash, card }, resolve, reject });
    this.#runNext();
    const reply = await promise;
    if (reply.type !== 'loaded') throw unexpected(reply);
    this.#cards.set(cardHash, card);
    return reply.traits;
  }

  forget(cardHash: string): void {
    if (!this.#cards.delete(cardHash)) return;
    this.#leaving.add(cardHash);
    this.#runNext();
  }

  /** @throws MillraceError overloaded when too many wait, request_cancelled when the client is gone */
  async render(
    cardHash: string,
    conversation: Conversation,
    tenantId: string,
    gone: AbortSignal,
  ): Promise<RenderedTokens> {
    if (gone.aborted) throw cancelled();
    const { promise, resolve, reject } = Promise.withResolvers<RenderReply>();
    const task: Task = { message: { type: 'render', id: this.#nextId(), cardHash, conversation }, resolve, reject };
    const displaced = this.#line.add(tenantId, task);
    displaced?.reject(this.#overloaded());
    // What waits is not begun; what runs is finished, and nobody hears of it.
    const drop = () => {
      if (this.#line.remove(tenantId, task)) reject(cancelled());
    };
    gone.addEventListener('abort', drop, { once: true });
    this.#runNext();
    try {
      const reply = await promise;
      if (reply.type !== 'rendered') throw unexpected(reply);
      return reply;
    } finally {
      gone.removeEventListener('abort', drop);
    }
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

  /** Says when the line as it is will have been served. */
  #overloaded(): MillraceError {
    const retryAfterMs = Math.max(LEAST_WAIT_MS, Math.ceil(this.#line.length * this.#renderMs));
    const message = `Too many prompts wait to be prepared. Try again in ${Math.ceil(retryAfterMs / 1_000)} s.`;
    return new MillraceError('overloaded', message, { retryAfterMs });
  }

  #runNext(): void {
    if (this.#running !== null) return;
    const task = this.#loads.shift() ?? this.#line.next();
    if (task === undefined) {
      this.#dropCards();
      return;
    }
    this.#running = task;
    this.#runningSinceMs = this.#nowMs();
    this.#thread ??= this.#startThread();
    this.#thread.postMessage(task.message);
  }

  /** Its answers have no task, as those to the cards of a new thread. */
  #dropCards(): void {
    for (const cardHash of this.#leaving) this.#thread?.postMessage({ type: 'forget', id: NOBODY, cardHash });
    this.#leaving.clear();
  }

  #startThread(): Worker {
    const thread = new Worker(ENTRY, { execArgv: EXEC_ARGV });
    thread.on('message', (reply: RenderReply) => this.#take(reply));
    thread.on('error', (error) => this.#lose(thread, error));
    thread.on('exit', () => this.#lose(thread, null));
    thread.unref();
    // The cards were usable before.
    for (const [cardHash, card] of this.#cards) thread.postMessage({ type: 'load', id: NOBODY, cardHash, card });
    return thread;
  }

  #take(reply: RenderReply): void {
    const task = this.#running;
    if (task === null || reply.id !== task.message.id) return;
    this.#running = null;
    if (task.message.type === 'render') this.#learn(this.#nowMs() - this.#runningSinceMs);
    if (reply.type === 'failed') {
      task.reject(renderError(reply.code, reply.message, reply.param));
    } else {
      task.resolve(reply);
    }
    this.#runNext();
  }

  #learn(tookMs: number): void {
    this.#renderMs += (tookMs - this.#renderMs) * (this.#renderMs === 0 ? 1 : NEWEST);
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

function cancelled(): MillraceError {
  return new MillraceError('request_cancelled', 'The client closed its connection.');
}

function unexpected({ type }: RenderReply): MillraceError {
  return new MillraceError('internal_error', `The thread that prepares prompts answered with "${type}".`);
}
