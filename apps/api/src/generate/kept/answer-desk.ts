import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ERROR_CODES, isErrorCode, MillraceError } from '#contracts';
import type { AnswerId, IdempotencyKeys, KeptAnswer, KeptAnswers } from '#requests';
import { notKept } from './answer-follower.ts';
import { type KeptRequest, unpackKeptRequest } from './kept-request.ts';

/** A first use that is this slow to begin its answer is not waited for any longer. */
const PENDING_WAIT_MS = 2_000;
const LOOK_MS = 25;

export interface AnswerDeskParts {
  readonly keys: Pick<IdempotencyKeys, 'claim' | 'release'>;
  readonly kept: Pick<KeptAnswers, 'read'>;
  readonly replicaId: string;
  readonly isAlive: (replicaId: string) => Promise<boolean>;
  /** What a request that has ended was charged, in microcredits. */
  readonly chargedFor: (id: AnswerId) => Promise<number>;
}

export interface KeyUse {
  readonly tenantId: string;
  readonly keyHash: string;
  readonly fingerprint: string;
  /** Of the request that uses the key. */
  readonly requestId: string;
}

/** `begin`: the key is the request's; what was charged under it before counts. `attach`: its answer is there, or under way. */
export type KeyOutcome =
  | { readonly kind: 'begin'; readonly paidMicrocredits: number }
  | { readonly kind: 'attach'; readonly requestId: string };

/** Finds the answer that a client comes back to. */
export class AnswerDesk {
  readonly #parts: AnswerDeskParts;

  constructor(parts: AnswerDeskParts) {
    this.#parts = parts;
  }

  /**
   * A key whose request failed in a way that can pass, or was cancelled, begins anew; what that one was charged counts.
   * @throws MillraceError idempotency_key_reused, idempotency_conflict, unavailable
   */
  async use(use: KeyUse): Promise<KeyOutcome> {
    const lastMs = performance.now() + PENDING_WAIT_MS;
    let replaces: string | null = null;
    let paidMicrocredits = 0;
    for (;;) {
      const { replicaId, isAlive } = this.#parts;
      const claimed = await this.#parts.keys.claim({ ...use, replicaId, replaces });
      const { verdict, requestId } = claimed;
      if (verdict === 'new') return { kind: 'begin', paidMicrocredits };
      if (verdict === 'mismatch') {
        throw new MillraceError(
          'idempotency_key_reused',
          'This Idempotency-Key stands for another request: another route or body. Send the same request, or another key.',
          { param: 'Idempotency-Key' },
        );
      }
      if (verdict === 'attach') {
        const id = { tenantId: use.tenantId, requestId };
        const found = await this.#parts.kept.read(id);
        if (found !== null) {
          if (!isWorthAnotherTry(found)) return { kind: 'attach', requestId };
          replaces = requestId;
          paidMicrocredits = await this.#paidFor(id, found);
          continue;
        }
      }
      if (verdict === 'pending' && !(await isAlive(claimed.replicaId))) {
        replaces = requestId;
        continue;
      }
      if (performance.now() > lastMs) {
        throw new MillraceError(
          'idempotency_conflict',
          'A request with this Idempotency-Key has just been sent and has not begun its answer. Send it again in a second.',
          { param: 'Idempotency-Key', retryAfterMs: 1_000 },
        );
      }
      await sleep(LOOK_MS);
    }
  }

  /** The request was refused: its key stands for nothing again. Never rejects. */
  async release({ tenantId, keyHash, requestId }: KeyUse): Promise<void> {
    await this.#parts.keys.release(tenantId, keyHash, requestId).catch(() => {});
  }

  /** @throws MillraceError not_found when it is not kept (any more) */
  async find(id: AnswerId): Promise<KeptRequest> {
    const found = await this.#parts.kept.read(id);
    if (found === null || found.request.length === 0) throw notKept(id.requestId);
    return unpackKeptRequest(found.request);
  }

  async #paidFor(id: AnswerId, { request }: KeptAnswer): Promise<number> {
    const before = request.length === 0 ? 0 : (await unpackKeptRequest(request)).terms.paidMicrocredits;
    return before + (await this.#parts.chargedFor(id));
  }
}

function isWorthAnotherTry({ state, error }: KeptAnswer): boolean {
  if (state === 'dropped' || state === 'cancelled') return true;
  return state === 'failed' && error !== null && isErrorCode(error.code) && ERROR_CODES[error.code].retryable;
}

/** Says what is asked, whatever the order of its members. */
export function fingerprintOf(path: string, body: unknown): string {
  return createHash('sha256')
    .update(`${path}\n${canonical(body)}`)
    .digest('hex');
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}
