import { FIRST_EPOCH } from '#contracts';
import { afterThisTurn } from '#queue';
import type { TenantAccount } from '../accounts/tenant-account.ts';
import { chargeOf, type ModelPrice, type TokenCounts } from '../credits/price-list.ts';
import { REBASE_TOKENS } from '../places/fair-tags.ts';
import type { ModelPlaces, PlaceAnswer, QueuePosition } from '../places/model-places.ts';
import type { PromptAffinity } from '../places/prompt-affinity.ts';
import type { DueRequests } from '../seats/due-requests.ts';

/** Runs a call to Redis now and, while Redis is away, again later; never rejects. */
export type Persist = (name: string, call: () => Promise<unknown>) => Promise<void>;

export interface HandleParts {
  readonly requestId: string;
  /** What it holds is held under this id: its own, or another when it was taken over too late. */
  readonly reservationId: string;
  /** Charged for it before, under other ids. */
  readonly paidMicrocredits: number;
  /** A worker had it already when this replica took it over. */
  readonly served: boolean;
  readonly keyId: string;
  readonly price: ModelPrice;
  readonly slots: number;
  readonly costTokens: number;
  readonly weight: number;
  /** How long what it holds stands without a heartbeat. */
  readonly leaseMs: number;
  readonly account: TenantAccount;
  readonly places: ModelPlaces;
  readonly due: Pick<DueRequests, 'announce'>;
  readonly affinity: Pick<PromptAffinity, 'note'>;
  readonly place: PlaceAnswer;
  readonly persist: Persist;
  readonly nowMs: () => number;
  readonly onEnd: () => void;
}

/** Redis hears by then that a request is served: what is said while its first token is on its way wakes a processor that the token needs. */
const START_TOLD_MS = 5;

/**
 * What an admitted request holds. `waiting` until a worker takes it (`started`), `serving` until it is settled, then
 * `ended`; disposing a handle that has not ended releases it. No method rejects: what Redis can not take now is kept and
 * tried again.
 */
export class AdmissionHandle implements AsyncDisposable {
  readonly #parts: HandleParts;
  #state: 'waiting' | 'serving' | 'ended' = 'waiting';
  #servingSinceMs: number;
  /** A worker was offered it, so BullMQ does not count it among what workers hold. */
  #offered = false;
  /** Until Redis is told that a worker has taken it. */
  #untold: { readonly timer: NodeJS.Timeout; readonly told: PromiseWithResolvers<void> } | null = null;

  constructor(parts: HandleParts) {
    this.#parts = parts;
    this.#servingSinceMs = parts.nowMs();
    if (parts.served) this.#state = 'serving';
  }

  get requestId(): string {
    return this.#parts.requestId;
  }

  get reservationId(): string {
    return this.#parts.reservationId;
  }

  get tenantId(): string {
    return this.#parts.account.tenantId;
  }

  get model(): string {
    return this.#parts.places.model;
  }

  get state(): 'waiting' | 'serving' | 'ended' {
    return this.#state;
  }

  /** For BullMQ: 1 is first. */
  get priority(): number {
    return this.#parts.place.priority;
  }

  /** Share of its tenant in seats and in the queue's order, relative to others'. */
  get weight(): number {
    return this.#parts.weight;
  }

  /** The job is offered to a worker, instead of the queue. */
  offering(): void {
    this.#offered = true;
  }

  /**
   * The job is being put into BullMQ's queue: its command was given in this turn of the event loop. Workers are told of it where it may
   * be due a seat, on the same connection and so behind it, not a round trip later.
   * @param computedAt workers that have computed the beginning of its prompt, where others have not
   */
  queueing(computedAt: readonly string[]): void {
    this.#offered = false;
    const { place, due, affinity, requestId } = this.#parts;
    // What is lost, or comes too early all the same, costs time only: workers look by themselves, too.
    const behind = (call: () => Promise<void>) =>
      void afterThisTurn()
        .then(call)
        .catch(() => {});
    if (computedAt.length > 0) behind(() => affinity.note(requestId, computedAt));
    if (place.mayBeDue) behind(() => due.announce());
  }

  /** The job is in BullMQ's queue. Waits for nothing, unless priorities are about to be made anew or the tenant's requests overtake each other. */
  async queued(epoch: number): Promise<void> {
    const { place, places, persist, requestId } = this.#parts;
    if (place.startTag - place.base < REBASE_TOKENS / 2 && !place.mayBeOvertaken) return;
    await persist(`confirm ${requestId}`, () => places.confirm(requestId, epoch));
  }

  /** Where the request stands in the queue; null once a worker has taken it, and while Redis is away. */
  async position(): Promise<QueuePosition | null> {
    if (this.#state !== 'waiting') return null;
    const { places, requestId, slots } = this.#parts;
    // A request only waits in fair order for its first attempt; later ones go first.
    return places.position(requestId, FIRST_EPOCH, slots).catch(() => null);
  }

  /** A worker has taken the request. Settles when Redis was told, which is when its tokens come, or a moment later. */
  async started(): Promise<void> {
    if (this.#state !== 'waiting') return;
    this.#state = 'serving';
    this.#servingSinceMs = this.#parts.nowMs();
    const told = Promise.withResolvers<void>();
    this.#untold = { timer: setTimeout(() => this.delivering(), START_TOLD_MS), told };
    await told.promise;
  }

  /** The worker that was offered it is gone, and BullMQ has its next attempt. */
  queuedAgain(): void {
    if (!this.#offered) return;
    this.#offered = false;
    const { places, requestId, persist } = this.#parts;
    if (this.#untold === null) void persist(`queued again ${requestId}`, () => places.leaveOffered(requestId));
  }

  /** Whether a worker holds it that was offered it. */
  get servedByOffer(): boolean {
    return this.#offered && this.#state === 'serving';
  }

  /** Its first tokens are on their way to the client. */
  delivering(): void {
    if (this.#untold === null) return;
    const { timer, told } = this.#untold;
    this.#untold = null;
    clearTimeout(timer);
    const { places, account, requestId, persist, leaseMs } = this.#parts;
    const offeredLeaseMs = this.#offered ? leaseMs : 0;
    void persist(`start ${requestId}`, () => places.start(requestId, account.tenantId, offeredLeaseMs)).then(
      told.resolve,
    );
  }

  /** The request is over. What never reached a worker costs nothing. */
  async settle(outcome: 'completed' | 'cancelled' | 'failed', tokens: TokenCounts): Promise<void> {
    if (this.#state === 'ended') return;
    const served = this.#state === 'serving';
    this.#end();
    const { account, places, requestId, reservationId, persist, price, keyId, nowMs, paidMicrocredits } = this.#parts;
    const counts = served ? tokens : { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
    const settlement = {
      requestId: reservationId,
      outcome,
      model: places.model,
      keyId,
      promptTokens: counts.promptTokens,
      cachedTokens: counts.cachedTokens,
      completionTokens: counts.completionTokens,
      chargeMicrocredits: Math.max(0, chargeOf(price, counts) - paidMicrocredits),
    };
    const serviceMs = nowMs() - this.#servingSinceMs;
    await Promise.all([
      persist(`settle ${requestId}`, () => account.settle(settlement)),
      served ? persist(`finish ${requestId}`, () => places.finish(requestId, serviceMs)) : this.#leave(),
    ]);
  }

  /** As if it had never been admitted: for a request that could not be queued. */
  async release(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#end();
    const { account, requestId, reservationId, persist } = this.#parts;
    await Promise.all([persist(`release ${requestId}`, () => account.release(reservationId)), this.#leave()]);
  }

  /** Another replica goes on with it: what it holds stays until that one renews it, or its lease runs out. */
  handOver(): void {
    if (this.#state !== 'ended') this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  #end(): void {
    this.delivering();
    this.#state = 'ended';
    this.#parts.onEnd();
  }

  #leave(): Promise<void> {
    const { account, places, requestId, persist, costTokens, weight } = this.#parts;
    return persist(`leave ${requestId}`, () =>
      places.leave({ requestId, tenantId: account.tenantId, costTokens, weight }),
    );
  }
}
