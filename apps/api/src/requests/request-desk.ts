import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from '#contracts';
import type { RequestRecord } from '#requests';
import type { TenantContext } from '../auth/tenant-context.ts';
import type { RequestBody } from './request-body.ts';

/** What this reads and does; `RequestRecords`, `ReplicaPresence` and their like of libs/requests. */
export interface RequestDeskParts {
  readonly records: {
    get(tenantId: string, requestId: string): Promise<RequestRecord | null>;
    byAlias(tenantId: string, alias: string): Promise<string | null>;
    update(tenantId: string, requestId: string, part: Partial<RequestRecord>): Promise<boolean>;
  };
  /** Has this replica tell the records what it has not told them yet. */
  flush(): Promise<void>;
  isAlive(replicaId: string): Promise<boolean>;
  /** Where a queued attempt stands; null when it is not queued (any more). */
  position(record: RequestRecord): Promise<{ readonly ahead: number; readonly waitMs: number } | null>;
  /** Ends a request of this replica. @returns whether it is one */
  cancelHere(tenantId: string, requestId: string): boolean;
  /** Asks the replica that works on it. */
  cancelThere(replicaId: string, tenantId: string, requestId: string): Promise<void>;
  /** Takes an attempt's job out of the queue, if it is there. */
  removeJob(record: RequestRecord): Promise<void>;
}

const ID = /^(?:chatcmpl-|cmpl-|req_)?([\da-f]{32})$/;
/** An owner that lives answers within a few milliseconds. */
const CANCEL_WAIT_MS = 2_000;
const LOOK_MS = 10;

const UNSETTLED: Partial<RequestRecord> = { state: 'cancelled' };

/** Tells what a tenant's request has come to, and ends it, whichever replica works on it. */
export class RequestDesk {
  readonly #parts: RequestDeskParts;

  constructor(parts: RequestDeskParts) {
    this.#parts = parts;
  }

  /**
   * @param id the id of its answer, with or without its prefix, or the `x-request-id` of its response
   * @throws MillraceError not_found for what is not this tenant's, unavailable
   */
  async show({ tenantId }: TenantContext, id: string): Promise<RequestBody> {
    return this.#body(await this.#seen(await this.#find(tenantId, id)));
  }

  /** The id under which replicas know a request. @throws MillraceError not_found, unavailable */
  async requestIdOf({ tenantId }: TenantContext, id: string): Promise<string> {
    return (await this.#find(tenantId, id)).requestId;
  }

  /**
   * Ends a request in whatever phase it is in; one that is over stays as it is.
   * @returns `settled: false` when its replica has not said yet that it is over
   * @throws MillraceError not_found, unavailable
   */
  async cancel({ tenantId }: TenantContext, id: string): Promise<{ settled: boolean; body: RequestBody }> {
    const record = await this.#find(tenantId, id);
    if (record.endedAtMs !== null) return { settled: true, body: await this.#body(record) };
    const { requestId, replicaId } = record;
    if (!this.#parts.cancelHere(tenantId, requestId)) {
      if (await this.#parts.isAlive(replicaId)) await this.#parts.cancelThere(replicaId, tenantId, requestId);
      else await this.#bury(tenantId, record);
    }
    const ended = await this.#untilEnded(tenantId, record);
    return { settled: ended.endedAtMs !== null, body: await this.#body(ended) };
  }

  /** Its replica is dead: what it held comes back by itself, and its job is refused or taken out. */
  async #bury(tenantId: string, record: RequestRecord): Promise<void> {
    await this.#parts.removeJob(record);
    await this.#parts.records.update(tenantId, record.requestId, { ...UNSETTLED, endedAtMs: Date.now() });
  }

  async #untilEnded(tenantId: string, record: RequestRecord): Promise<RequestRecord> {
    const lastMs = performance.now() + CANCEL_WAIT_MS;
    let latest = record;
    while (latest.endedAtMs === null && performance.now() < lastMs) {
      latest = (await this.#parts.records.get(tenantId, record.requestId)) ?? latest;
      if (latest.endedAtMs === null) await sleep(LOOK_MS);
    }
    return latest;
  }

  async #find(tenantId: string, id: string): Promise<RequestRecord> {
    await this.#parts.flush();
    const own = ID.exec(id)?.[1];
    const record = own === undefined ? null : await this.#parts.records.get(tenantId, own);
    if (record !== null) return record;
    const other = await this.#parts.records.byAlias(tenantId, id);
    const aliased = other === null ? null : await this.#parts.records.get(tenantId, other);
    if (aliased !== null) return aliased;
    throw new MillraceError(
      'not_found',
      `There is no request ${JSON.stringify(id)} of your tenant. Use the id of its answer or its x-request-id; ` +
        'requests are remembered for an hour.',
    );
  }

  /** As it is told: a request whose replica died without a word will not go on, unless its answer is kept. */
  async #seen(record: RequestRecord): Promise<RequestRecord> {
    if (record.endedAtMs !== null || record.kept || (await this.#parts.isAlive(record.replicaId))) return record;
    const message = 'The replica that worked on the request is gone. Send the request again.';
    return { ...record, state: 'failed', error: { code: 'unavailable', message } };
  }

  async #body(record: RequestRecord): Promise<RequestBody> {
    const { requestId, model, state, createdAtMs, startedAtMs, endedAtMs, epoch, kept, finishReasons, error } = record;
    const position = state === 'queued' ? await this.#parts.position(record) : null;
    const { promptTokens, cachedTokens, completionTokens } = record;
    return {
      id: requestId,
      object: 'request',
      model,
      state,
      created_at: seconds(createdAtMs),
      started_at: startedAtMs === null ? null : seconds(startedAtMs),
      ended_at: endedAtMs === null ? null : seconds(endedAtMs),
      queued_ms: startedAtMs === null ? null : Math.max(0, startedAtMs - createdAtMs),
      queue: position === null ? null : { position: position.ahead + 1, estimated_wait_ms: position.waitMs },
      attempts: epoch,
      resumable: kept,
      finish_reasons: [...finishReasons],
      usage:
        endedAtMs === null
          ? null
          : {
              prompt_tokens: promptTokens,
              completion_tokens: completionTokens,
              total_tokens: promptTokens + completionTokens,
              prompt_tokens_details: { cached_tokens: cachedTokens },
            },
      error,
    };
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}
