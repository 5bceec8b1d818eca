import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { HeldConstraint } from '#models/grammar';
import { TenantLine } from '#queue';
import type { TranslateMessage, TranslateReply } from './translate-message.ts';

const EXTENSION = extname(import.meta.url);
const ENTRY = new URL(`./translating-thread${EXTENSION}`, import.meta.url);
/** From sources, `#models` and its like have to resolve to sources in the thread too. */
const EXEC_ARGV = EXTENSION === '.ts' ? ['--conditions=millrace-source'] : [];
/** What is kept of grammars that were made, for clients that send the same schema again and again. */
const KEPT_BYTES = 32 * 2 ** 20;
/** API replicas refuse what takes longer than two seconds, on machines that may be quicker. */
const LIMIT_MS = 20_000;

interface Translation {
  readonly constraint: HeldConstraint;
  readonly signal: AbortSignal;
  readonly outcome: PromiseWithResolvers<Int32Array>;
}

/**
 * Translates constraints into grammars in a thread of its own, one after another and tenants in turn: a tenant's costly schemas hold up neither the
 * engine nor another tenant's. The thread is started with the first of them.
 */
export class ConstraintTranslator {
  readonly #limitMs: number;
  /** By constraint; least recently used first. */
  readonly #kept = new Map<string, Int32Array>();
  readonly #line = new TenantLine<Translation>();
  #keptBytes = 0;
  #thread: Worker | null = null;
  #working = false;
  #lastId = 0;

  constructor(limitMs: number = LIMIT_MS) {
    this.#limitMs = limitMs;
  }

  /** The grammar of a constraint that was translated before, else null. */
  kept(constraint: HeldConstraint): Int32Array | null {
    const key = keyOf(constraint);
    const grammar = this.#kept.get(key);
    if (grammar === undefined) return null;
    this.#kept.delete(key);
    this.#kept.set(key, grammar);
    return grammar;
  }

  /** @throws Error where the constraint has no grammar, or takes too long; or the signal's reason */
  translate(constraint: HeldConstraint, tenantId: string, signal: AbortSignal): Promise<Int32Array> {
    const outcome = Promise.withResolvers<Int32Array>();
    this.#line.add(tenantId, { constraint, signal, outcome });
    void this.#work();
    return outcome.promise;
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    await thread?.terminate();
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    for (let next = this.#line.next(); next !== undefined; next = this.#line.next()) {
      const { constraint, signal, outcome } = next;
      if (signal.aborted) outcome.reject(signal.reason);
      else await this.#grammarOf(constraint).then(outcome.resolve, outcome.reject);
    }
    this.#working = false;
  }

  async #grammarOf(constraint: HeldConstraint): Promise<Int32Array> {
    // Somebody else has asked the same meanwhile.
    const known = this.kept(constraint);
    if (known !== null) return known;
    const grammar = await this.#inThread(constraint);
    this.#kept.set(keyOf(constraint), grammar);
    this.#keptBytes += grammar.byteLength;
    for (const [key, oldest] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES) break;
      this.#kept.delete(key);
      this.#keptBytes -= oldest.byteLength;
    }
    return grammar;
  }

  #inThread(constraint: HeldConstraint): Promise<Int32Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Int32Array>();
    const thread = this.#thread ?? this.#start();
    this.#lastId += 1;
    const id = this.#lastId;
    const take = (reply: TranslateReply): void => {
      if (reply.id !== id) return;
      if ('grammar' in reply) resolve(reply.grammar);
      else reject(new Error(reply.problem));
    };
    const lose = (): void => {
      this.#thread = null;
      reject(new Error('the thread that translates schemas stopped'));
    };
    const timer = setTimeout(() => {
      reject(new Error(`it takes longer than ${this.#limitMs} ms to translate`));
      void this.close();
    }, this.#limitMs);
    thread.on('message', take);
    thread.once('exit', lose);
    const message: TranslateMessage = { id, constraint };
    thread.postMessage(message);
    return promise.finally(() => {
      clearTimeout(timer);
      thread.off('message', take);
      thread.off('exit', lose);
    });
  }

  #start(): Worker {
    const thread = new Worker(ENTRY, { execArgv: EXEC_ARGV });
    thread.on('error', () => {});
    thread.unref();
    this.#thread = thread;
    return thread;
  }
}

function keyOf(constraint: HeldConstraint): string {
  return createHash('sha256').update(JSON.stringify(constraint)).digest('base64');
}
