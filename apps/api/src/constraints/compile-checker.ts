import { createHash } from 'node:crypto';
import { MillraceError, type OutputConstraint } from '#contracts';
import { NoPlaceError, TaskLateError, TaskThread, ThreadLostError, WorkLine } from '#threads';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';
import type { CheckMessage, CheckRefusal, CheckReply } from './check-message.ts';
import { type ConstraintChecker, FORM_PLACE } from './constraint-checker.ts';

/** Verdicts that are remembered, for whole caches of clients' schemas. */
const MAX_VERDICTS = 4_096;
const MOST_WAITING = 256;

/** What was found out about a constraint: null where it can be enforced. */
type Verdict = MillraceError | null;

interface WaitingCheck {
  readonly verdict: Promise<Verdict>;
  /** Of each request that wants to know. */
  readonly ended: AbortSignal[];
}

export interface CompileCheckerOptions {
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
  readonly #verdicts = new Map<string, Verdict>();
  readonly #line: WorkLine;
  /** Those that wait, by tenant, card and constraint: nobody waits in another tenant's place. */
  readonly #waiting = new Map<string, WaitingCheck>();
  readonly #thread = new TaskThread<CheckMessage, CheckReply>(new URL('./check-thread', import.meta.url));

  constructor(options: CompileCheckerOptions) {
    this.#options = options;
    this.#line = new WorkLine(options.mostWaiting ?? MOST_WAITING);
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

  close(): Promise<void> {
    return this.#thread.close();
  }

  #inTurn(
    key: string,
    model: CataloguedModel,
    constraint: OutputConstraint,
    tenantId: string,
    ended: AbortSignal,
  ): Promise<Verdict> {
    const place = `${tenantId} ${key}`;
    const waiting = this.#waiting.get(place);
    if (waiting !== undefined) {
      waiting.ended.push(ended);
      return waiting.verdict;
    }
    const allEnded = [ended];
    const verdict = this.#line
      .run(tenantId, () => this.#verdictOf(key, model, constraint, allEnded))
      .catch((error: unknown) => {
        if (error instanceof NoPlaceError) return overloaded();
        throw error;
      })
      .finally(() => this.#waiting.delete(place));
    this.#waiting.set(place, { verdict, ended: allEnded });
    return verdict;
  }

  async #verdictOf(
    key: string,
    model: CataloguedModel,
    constraint: OutputConstraint,
    ended: readonly AbortSignal[],
  ): Promise<Verdict> {
    // Another tenant has asked the same meanwhile.
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    if (ended.every(({ aborted }) => aborted)) return overloaded();
    const verdict = await this.#compile(model, constraint);
    // Only what is wrong with the constraint itself is remembered.
    if (verdict === null || verdict.httpStatus === 400) this.#remember(key, verdict);
    return verdict;
  }

  #remember(key: string, verdict: Verdict): void {
    this.#verdicts.delete(key);
    this.#verdicts.set(key, verdict);
    for (const oldest of this.#verdicts.keys()) {
      if (this.#verdicts.size <= MAX_VERDICTS) break;
      this.#verdicts.delete(oldest);
    }
  }

  async #compile(model: CataloguedModel, constraint: OutputConstraint): Promise<Verdict> {
    const { limitMs } = this.#options;
    // What is wrong with a tool says itself where that stands.
    const field = constraint.type === 'tool_calls' ? '' : FORM_PLACE;
    try {
      const reply = await this.#askThread(model, constraint);
      return reply.type === 'refused' ? refusedError(reply, field) : null;
    } catch (error) {
      if (error instanceof TaskLateError) {
        const form = formOf(constraint);
        const message = `The ${form} takes longer than ${limitMs} ms to compile. Make it smaller, or simplify its patterns.`;
        return new MillraceError('invalid_request', message, { param: field === '' ? 'tools' : field });
      }
      if (!(error instanceof ThreadLostError)) throw error;
      const message = 'The thread that checks schemas stopped; send the request again.';
      return new MillraceError('internal_error', message, { cause: error });
    }
  }

  /** The limit is on compiling alone: the thread is given a card that it does not know before, and that takes as long as it takes. */
  async #askThread({ cardHash, card }: CataloguedModel, constraint: OutputConstraint): Promise<CheckReply> {
    const check: CheckMessage = { type: 'check', cardHash, constraint };
    const reply = await this.#thread.ask(check, this.#options.limitMs);
    if (reply.type !== 'unknown_card') return reply;
    const loaded = await this.#thread.ask({ type: 'load', cardHash, card });
    return loaded.type === 'refused' ? loaded : await this.#thread.ask(check, this.#options.limitMs);
  }
}

function formOf(constraint: OutputConstraint): string {
  if (constraint.type === 'tool_calls' && constraint.tools.some(({ input }) => input !== undefined)) {
    return 'schema or grammar of a tool';
  }
  return constraint.type === 'grammar' ? 'grammar' : 'schema';
}

function overloaded(): MillraceError {
  const message = 'Too many schemas are being checked. Try again in a second.';
  return new MillraceError('overloaded', message, { retryAfterMs: 1_000 });
}

/** @param field in which the schema stands; empty when the refusal names it itself */
function refusedError({ code, message, param }: CheckRefusal, field: string): MillraceError {
  if (field === '') return new MillraceError(code, message, { param: param || 'tools' });
  const at = param === null || param === '' ? '' : `${param.startsWith('[') ? '' : '.'}${param}`;
  return new MillraceError(code, message, { param: field + at });
}
