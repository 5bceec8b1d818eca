import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { MillraceError, type OutputConstraint } from '#contracts';
import { TenantLine } from '#queue';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';
import type { CheckMessage, CheckReply } from './check-message.ts';
import type { ConstraintChecker } from './constraint-checker.ts';

const EXTENSION = extname(import.meta.url);
const ENTRY = new URL(`./check-thread${EXTENSION}`, import.meta.url);
/** From sources, `#models` and its like have to resolve to sources in the thread too. */
const EXEC_ARGV = EXTENSION === '.ts' ? ['--conditions=millrace-source'] : [];
/** Verdicts that are remembered, for whole caches of clients' schemas. */
const MAX_VERDICTS = 4_096;
const MOST_WAITING = 256;

interface Check {
  readonly key: string;
  readonly model: CataloguedModel;
  readonly constraint: OutputConstraint;
  /** Of each request that wants to know. */
  readonly ended: AbortSignal[];
  readonly outcome: PromiseWithResolvers<MillraceError | null>;
}

export interface CompileCheckerOptions {
  /** The request's field that holds a schema, for the `param` of errors. */
  readonly schemaField: string;
  /** Longest compiling, in ms; a worker's engine stands still as long. */
  readonly limitMs: number;
  /** Schemas that wait at a time; 256 by default. */
  readonly mostWaiting?: number;
}

/**
 * Checks constraints by compiling them in a thread of their own, one after another and tenants in turn, each once per card. A
 * compiling that takes too long is refused for good and its thread ended, so a schema can neither block this process nor a worker.
 */
export class CompileChecker implements ConstraintChecker {
  readonly #options: CompileCheckerOptions;
  /** By card and constraint; least recently used first. */
  readonly #verdicts = new Map<string, MillraceError | null>();
  readonly #line: TenantLine<Check>;
  /** Those that wait, by tenant, card and constraint: nobody waits in another tenant's place. */
  readonly #waiting = new Map<string, Check>();
  #thread: Worker | null = null;
  readonly #cardsSent = new Set<string>();
  #working = false;
  #lastId = 0;

  constructor(options: CompileCheckerOptions) {
    this.#options = options;
    this.#line = new TenantLine(options.mostWaiting ?? MOST_WAITING);
  }

  async check(
    model: CataloguedModel,
    constraint: OutputConstraint,
    tenantId: string,
    ended: AbortSignal,
  ): Promise<void> {
    const digest = createHash('sha256').update(JSON.stringify(constraint)).digest('base64');
    const key = `${model.cardHash} ${digest}`;
    const verdict = this.#verdicts.get(key);
    const error = verdict === undefined ? await this.#inTurn(key, model, constraint, tenantId, ended) : verdict;
    if (verdict !== undefined) this.#remember(key, verdict);
    if (error !== null) throw error;
  }

  async close(): Promise<void> {
    await this.#end();
  }

  #inTurn(
    key: string,
    model: CataloguedModel,
    constraint: OutputConstraint,
    tenantId: string,
    ended: AbortSignal,
  ): Promise<MillraceError | null> {
    const place = `${tenantId} ${key}`;
    const waiting = this.#waiting.get(place);
    if (waiting !== undefined) {
      waiting.ended.push(ended);
      return waiting.outcome.promise;
    }
    const check: Check = { key, model, constraint, ended: [ended], outcome: Promise.withResolvers() };
    this.#waiting.set(place, check);
    const leave = () => this.#waiting.delete(place);
    check.outcome.promise.then(leave, leave);
    this.#line.add(tenantId, check)?.outcome.resolve(overloaded());
    void this.#work();
    return check.outcome.promise;
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    for (let check = this.#line.next(); check !== undefined; check = this.#line.next()) {
      await this.#verdictOf(check).then(check.outcome.resolve, check.outcome.reject);
    }
    this.#working = false;
  }

  async #verdictOf({ key, model, constraint, ended }: Check): Promise<MillraceError | null> {
    // Another tenant has asked the same meanwhile.
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    if (ended.every(({ aborted }) => aborted)) return overloaded();
    const verdict = await this.#compile(model, constraint);
    // Only what is wrong with the constraint itself is remembered.
    if (verdict === null || verdict.httpStatus === 400) this.#remember(key, verdict);
    return verdict;
  }

  #remember(key: string, verdict: MillraceError | null): void {
    this.#verdicts.delete(key);
    this.#verdicts.set(key, verdict);
    for (const oldest of this.#verdicts.keys()) {
      if (this.#verdicts.size <= MAX_VERDICTS) break;
      this.#verdicts.delete(oldest);
    }
  }

  #compile(model: CataloguedModel, constraint: OutputConstraint): Promise<MillraceError | null> {
    const { promise, resolve } = Promise.withResolvers<MillraceError | null>();
    const thread = this.#thread ?? this.#start();
    this.#lastId += 1;
    const id = this.#lastId;
    // What is wrong with a tool says itself where that stands.
    const field = constraint.type === 'tool_calls' ? '' : this.#options.schemaField;
    let timer: NodeJS.Timeout | undefined;
    const settle = (error: MillraceError | null): void => {
      clearTimeout(timer);
      thread.off('message', take);
      thread.off('exit', lose);
      resolve(error);
    };
    const take = (reply: CheckReply): void => {
      if (reply.id !== id) return;
      if (reply.type === 'ready') timer = setTimeout(giveUp, this.#options.limitMs);
      else settle(reply.type === 'accepted' ? null : refusedError(reply, field));
    };
    const giveUp = (): void => {
      const param = field === '' ? 'tools' : field;
      const message = `The schema takes longer than ${this.#options.limitMs} ms to compile. Make it smaller, or simplify its patterns.`;
      settle(new MillraceError('invalid_request', message, { param }));
      void this.#end();
    };
    const lose = (): void => {
      this.#thread = null;
      settle(new MillraceError('internal_error', 'The thread that checks schemas stopped; send the request again.'));
    };
    thread.on('message', take);
    thread.once('exit', lose);
    const card = this.#cardsSent.has(model.cardHash) ? null : model.card;
    this.#cardsSent.add(model.cardHash);
    const message: CheckMessage = { id, cardHash: model.cardHash, card, constraint };
    thread.postMessage(message);
    return promise;
  }

  #start(): Worker {
    const thread = new Worker(ENTRY, { execArgv: EXEC_ARGV });
    thread.on('error', () => {});
    thread.unref();
    this.#thread = thread;
    this.#cardsSent.clear();
    return thread;
  }

  async #end(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    await thread?.terminate();
  }
}

function overloaded(): MillraceError {
  const message = 'Too many schemas are being checked. Try again in a second.';
  return new MillraceError('overloaded', message, { retryAfterMs: 1_000 });
}

/** @param field in which the schema stands; empty when the refusal names it itself */
function refusedError(
  { code, message, param }: Extract<CheckReply, { type: 'refused' }>,
  field: string,
): MillraceError {
  if (field === '') return new MillraceError(code, message, { param: param || 'tools' });
  const at = param === null || param === '' ? '' : `${param.startsWith('[') ? '' : '.'}${param}`;
  return new MillraceError(code, message, { param: field + at });
}
