import { createHash } from 'node:crypto';
import type { HeldConstraint } from '#models/grammar';
import { TaskLateError, TaskThread, ThreadLostError, WorkLine } from '#threads';
import type { Translation } from './translation.ts';

/** What is kept of grammars that were made, for clients that send the same schema again and again. */
const KEPT_BYTES = 32 * 2 ** 20;
/** API replicas refuse what takes longer than two seconds, on machines that may be quicker. */
const LIMIT_MS = 20_000;

/**
 * Translates constraints into grammars in a thread of its own, one after another and tenants in turn: a tenant's costly schemas hold up neither the
 * engine nor another tenant's. The thread is started with the first of them.
 */
export class ConstraintTranslator {
  readonly #limitMs: number;
  /** By constraint; least recently used first. */
  readonly #kept = new Map<string, Int32Array>();
  readonly #line = new WorkLine();
  readonly #thread = new TaskThread<HeldConstraint, Translation>(new URL('./translating-thread', import.meta.url));
  #keptBytes = 0;

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
    return this.#line.run(tenantId, async () => {
      signal.throwIfAborted();
      // Somebody else has asked the same meanwhile.
      return this.kept(constraint) ?? this.#keep(constraint, await this.#inThread(constraint));
    });
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  #keep(constraint: HeldConstraint, grammar: Int32Array): Int32Array {
    this.#kept.set(keyOf(constraint), grammar);
    this.#keptBytes += grammar.byteLength;
    for (const [key, oldest] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES) break;
      this.#kept.delete(key);
      this.#keptBytes -= oldest.byteLength;
    }
    return grammar;
  }

  async #inThread(constraint: HeldConstraint): Promise<Int32Array> {
    const translation = await this.#thread.ask(constraint, this.#limitMs).catch((error: unknown) => {
      if (error instanceof TaskLateError) throw new Error(`it takes longer than ${this.#limitMs} ms to translate`);
      if (error instanceof ThreadLostError) throw new Error('the thread that translates schemas stopped');
      throw error;
    });
    if ('problem' in translation) throw new Error(translation.problem);
    return translation.grammar;
  }
}

function keyOf(constraint: HeldConstraint): string {
  return createHash('sha256').update(JSON.stringify(constraint)).digest('base64');
}
