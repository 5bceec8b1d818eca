import { TransientMap, TransientSet } from '#collections';
import { type GenerateJob, MillraceError } from '#contracts';
import type { Logger } from '#observability';
import { afterThisTurn } from '#queue';
import type { RequestRecord, RequestRecords } from '#requests';
import type { Answer } from '../generate/answer.ts';
import { OUTCOME_OF, outcomeOf } from '../generate/outcome.ts';
import { NotedRequest } from './noted-request.ts';

export interface JournalOpening {
  readonly job: GenerateJob;
  /** The client's own `x-request-id`; null when it sent none. */
  readonly alias: string | null;
  readonly kept: boolean;
  /** Ends the request with this error, wherever it is. */
  readonly cancel: (error: MillraceError) => void;
}

export interface PreparingOpening {
  readonly tenantId: string;
  readonly requestId: string;
  readonly model: string;
  readonly alias: string | null;
  readonly cancel: (error: MillraceError) => void;
}

/** A request whose prompt is being made. No method rejects or waits. */
export interface PreparingEntry {
  /** It goes on, and is opened or refused. */
  prepared(): void;
  cancelled(): void;
  /** It was never queued. */
  refused(): void;
}

/** Others hear of a request when its preparation takes so long that somebody may want it ended. */
const LONG_PREPARATION_MS = 50;

interface OpenEntry {
  readonly tenantId: string;
  readonly cancel: (error: MillraceError) => void;
}

/** One request that this replica works on, as others see it. No method rejects or waits. */
export interface JournalEntry {
  started(): void;
  /** Its client is about to learn its id. */
  told(): void;
  /** The next attempt follows. */
  attempt(epoch: number): void;
  ended(answer: Answer): void;
  /** It was never queued. */
  refused(): void;
  /** Another replica goes on with it. */
  left(): void;
}

/**
 * Tells all replicas what the requests of this one come to, and ends those that somebody wants cancelled. Redis is told
 * in the background: an answer never waits for it, and while it is away records are a little out of date.
 */
export class RequestJournal {
  readonly #records: RequestRecords;
  readonly #replicaId: string;
  readonly #logger: Logger;
  readonly #open = new TransientMap<string, OpenEntry>();
  /** Of open requests, what Redis may not have been told yet. */
  readonly #noted = new TransientSet<NotedRequest>();

  constructor(records: RequestRecords, replicaId: string, logger: Logger) {
    this.#records = records;
    this.#replicaId = replicaId;
    this.#logger = logger;
  }

  /** From the request's beginning, so that a cancel finds it also while its prompt is being made. */
  preparing({ tenantId, requestId, model, alias, cancel }: PreparingOpening): PreparingEntry {
    this.#open.set(requestId, { tenantId, cancel });
    const createdAtMs = Date.now();
    let written: Promise<void> | null = null;
    const timer = setTimeout(() => {
      const record = { ...NOTHING_YET, requestId, model, replicaId: this.#replicaId, createdAtMs };
      written = this.#quietly(() => this.#records.create(tenantId, record, alias));
    }, LONG_PREPARATION_MS).unref();
    const close = (): void => {
      clearTimeout(timer);
      this.#open.delete(requestId);
    };
    const then = (call: () => Promise<unknown>): void => void written?.then(() => this.#quietly(call));
    return {
      prepared: close,
      cancelled: () => {
        close();
        const end = { state: 'cancelled', endedAtMs: Date.now() } as const;
        then(() => this.#records.update(tenantId, requestId, end));
      },
      refused: () => {
        close();
        then(() => this.#records.remove(tenantId, requestId));
      },
    };
  }

  /** From before the request is queued, so that a cancel finds it in every phase. */
  open({ job, alias, kept, cancel }: JournalOpening): JournalEntry {
    const { requestId, tenantId } = job;
    this.#open.set(requestId, { tenantId, cancel });
    const record: RequestRecord = {
      requestId,
      model: job.model,
      state: 'queued',
      replicaId: this.#replicaId,
      epoch: job.epoch,
      createdAtMs: job.enqueuedAtMs,
      startedAtMs: null,
      endedAtMs: null,
      kept,
      finishReasons: [],
      promptTokens: job.promptTokenIds.length,
      cachedTokens: 0,
      completionTokens: 0,
      error: null,
    };
    const note = new NotedRequest(
      {
        create: (fields) => this.#quietly(() => this.#records.create(tenantId, fields, alias)),
        update: (part) => this.#quietly(() => this.#records.update(tenantId, requestId, part)),
        remove: () => this.#quietly(() => this.#records.remove(tenantId, requestId)),
      },
      record,
    );
    this.#noted.add(note);
    // Its client knows its name, or comes back for its answer elsewhere.
    if (kept || alias !== null) note.told();
    const close = () => {
      this.#open.delete(requestId);
      this.#noted.delete(note);
    };
    return {
      started: () => note.change({ state: 'running', startedAtMs: Date.now() }),
      told: () => note.told(),
      attempt: (epoch) => note.change({ epoch }),
      ended: (answer) => {
        close();
        note.end(endOf(answer));
      },
      left: () => {
        close();
        note.write();
      },
      refused: () => {
        close();
        note.remove();
      },
    };
  }

  /** Redis is told now what waits to be told. Settles, and never rejects, when it was. */
  async flush(): Promise<void> {
    await Promise.all(this.#noted.values().map((note) => note.write()));
  }

  /** Ends a request of this replica. @returns whether it is one that is still open */
  cancel(tenantId: string, requestId: string): boolean {
    const entry = this.#open.get(requestId);
    if (entry === undefined || entry.tenantId !== tenantId) return false;
    entry.cancel(new MillraceError('request_cancelled', `Request ${requestId} was cancelled.`));
    return true;
  }

  async #quietly(call: () => Promise<unknown>): Promise<void> {
    await afterThisTurn();
    try {
      await call();
    } catch (error) {
      this.#logger.debug({ err: error }, 'a request record was not written');
    }
  }
}

const NOTHING_YET = {
  state: 'queued',
  epoch: 1,
  startedAtMs: null,
  endedAtMs: null,
  kept: false,
  finishReasons: [],
  promptTokens: 0,
  cachedTokens: 0,
  completionTokens: 0,
  error: null,
} as const satisfies Partial<RequestRecord>;

function endOf(answer: Answer): Partial<RequestRecord> {
  const { usage, failure, workerId } = answer;
  const outcome = outcomeOf(answer);
  return {
    state: OUTCOME_OF[outcome],
    endedAtMs: Date.now(),
    finishReasons: answer.finishReasons,
    // What never reached a worker used nothing.
    promptTokens: workerId === null ? 0 : usage.promptTokens,
    cachedTokens: usage.cachedPromptTokens,
    completionTokens: usage.completionTokens,
    error: outcome === 'failed' && failure !== null ? { code: failure.code, message: failure.message } : null,
  };
}
