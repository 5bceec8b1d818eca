import type { Redis } from 'ioredis';
import { TransientSet } from '#collections';
import { FIRST_EPOCH, MillraceError } from '#contracts';
import { redisCall, redisKeys } from '#queue';
import { type Reservation, TenantAccount } from '../accounts/tenant-account.ts';
import { type Clock, systemClock } from '../clock.ts';
import { holdOf } from '../credits/price-list.ts';
import { ModelPlaces, type PlaceAnswer, type PlaceRequest } from '../places/model-places.ts';
import { PromptAffinity } from '../places/prompt-affinity.ts';
import { DueRequests } from '../seats/due-requests.ts';
import { AdmissionHandle, type HandleParts } from './admission-handle.ts';
import type { AdmissionTerms } from './admission-terms.ts';
import type { AdmissionRequest, Decision, OfferGround, RateStandings } from './decision.ts';
import { JointAdmission, type JointAnswer } from './joint-admission.ts';
import { refusalBefore, refusalOfPlace, refusalOfReserve } from './refusals.ts';
import { UnfinishedCalls } from './unfinished-calls.ts';

export interface AdmissionGateOptions {
  /** A `producer` connection, which stays its owner's to close. */
  readonly redis: Redis;
  readonly clock?: Clock;
  /** Places in the queue of each model. Default 1,000. More make longer waits, not more throughput. */
  readonly queuePlaces?: number;
  /** How long a dead replica's leases stand; renewed at a third. Default 15 s. */
  readonly leaseMs?: number;
  /** Hears of what Redis refused and of what is being tried again. */
  readonly onError?: (error: unknown) => void;
}

/** A tenant is put on the list that the sweep visits at most this often. */
const ACTIVE_NOTED_MS = 60_000;
/** A tenant without a request for this long leaves that list; its leases have ended long before. */
const ACTIVE_KEPT_MS = 2 * 3_600_000;

/** The one decision whether a request may enter the queue. Any number of replicas share the limits through Redis. */
export class AdmissionGate implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #clock: Clock;
  readonly #queuePlaces: number;
  readonly #leaseMs: number;
  readonly #onError: (error: unknown) => void;
  readonly #open = new TransientSet<AdmissionHandle>();
  readonly #unfinished: UnfinishedCalls;
  readonly #joint: JointAdmission;
  readonly #activeNoted = new Map<string, number>();
  readonly #beat: NodeJS.Timeout;
  readonly #sweep: NodeJS.Timeout;

  constructor(options: AdmissionGateOptions) {
    this.#redis = options.redis;
    this.#clock = options.clock ?? systemClock;
    this.#queuePlaces = options.queuePlaces ?? 1_000;
    this.#leaseMs = options.leaseMs ?? 15_000;
    this.#onError = options.onError ?? (() => {});
    this.#unfinished = new UnfinishedCalls(this.#onError);
    this.#joint = new JointAdmission(this.#redis, this.#clock);
    this.#beat = setInterval(() => void this.heartbeat().catch(this.#onError), this.#leaseMs / 3).unref();
    this.#sweep = setInterval(() => void this.sweep().catch(this.#onError), this.#leaseMs).unref();
  }

  /** Admitted requests that have not ended, on this replica. */
  get openRequests(): number {
    return this.#open.size;
  }

  /** Calls that Redis could not take yet and that are tried again. */
  get unfinishedCalls(): number {
    return this.#unfinished.size;
  }

  /** Never rejects on a refusal or a lost Redis: both are a `Refused`, which has consumed nothing. */
  async decide(request: AdmissionRequest): Promise<Decision> {
    const early = refusalBefore(request);
    if (early !== null) return { admitted: false, error: early, rates: null };
    try {
      return await this.#decide(request);
    } catch (error) {
      if (error instanceof MillraceError) return { admitted: false, error, rates: null };
      throw error;
    }
  }

  /**
   * Goes on with a request that another replica admitted and has left. It keeps what it was given: its price, and what it
   * holds; where that was taken back meanwhile, it is held anew, less what was charged for it by then.
   * @throws MillraceError insufficient_credits when that is not to be had any more, unavailable
   */
  async adopt(terms: AdmissionTerms): Promise<AdmissionHandle> {
    const { requestId, tenantId, model, price, keyId, costTokens, weight, served } = terms;
    const account = new TenantAccount(this.#redis, tenantId, this.#clock);
    await this.#noteActive(tenantId);
    let { reservationId, paidMicrocredits } = terms;
    const gone = await account.renew([reservationId], this.#leaseMs);
    if (gone.length > 0) {
      paidMicrocredits += await account.chargedFor(reservationId);
      reservationId = `${requestId}~${terms.epoch}`;
      const { verdict } = await account.reserve({
        requestId: reservationId,
        requestsPerMinute: null,
        tokensPerMinute: null,
        concurrency: null,
        tokens: costTokens,
        holdMicrocredits: Math.max(0, terms.holdMicrocredits - paidMicrocredits),
        unlimitedCredits: terms.unlimitedCredits,
        leaseMs: this.#leaseMs,
        bill: { model, keyId, price },
      });
      if (verdict !== 'reserved') {
        throw new MillraceError(
          'insufficient_credits',
          `Request ${requestId} could not go on: its replica was gone for too long, and the credits it needs are not there any more.`,
        );
      }
    }
    const estimate = { ahead: 0, waitMs: 0, retryAfterMs: 0, taken: 0, queued: 0, queuedOfTenant: 0 };
    const order = { priority: 1, startTag: 0, base: 0, mayBeDue: false, mayBeOvertaken: false };
    const place = { verdict: 'placed', ...estimate, ...order } as const;
    const places = new ModelPlaces(this.#redis, model, this.#clock);
    const parts = { requestId, reservationId, paidMicrocredits, served, keyId, price, costTokens, weight };
    return this.#handle({ ...parts, slots: 1, account, places, place });
  }

  /** Renews what this replica's requests hold and tries unfinished calls again; runs by itself. */
  async heartbeat(): Promise<void> {
    await this.#unfinished.retry();
    const byTenant = new Map<string, AdmissionHandle[]>();
    for (const handle of this.#open.values()) {
      const handles = byTenant.get(handle.tenantId);
      if (handles === undefined) byTenant.set(handle.tenantId, [handle]);
      else handles.push(handle);
    }
    await Promise.all([...byTenant].map(([tenantId, handles]) => this.#renew(tenantId, handles)));
  }

  /** Takes back what requests of dead replicas hold; runs by itself. @returns how many there were */
  async sweep(): Promise<number> {
    const nowMs = this.#clock.nowMs();
    const tenants = await redisCall(this.#redis, 'list the active tenants', async () => {
      await this.#redis.zremrangebyscore(redisKeys.activeTenants, '-inf', nowMs - ACTIVE_KEPT_MS);
      return this.#redis.zrange(redisKeys.activeTenants, 0, -1);
    });
    let expired = 0;
    for (const tenantId of tenants) expired += await this.#expireDead(tenantId);
    return expired;
  }

  /** Stops the timers and tries a last time to write what is unfinished. Open handles stay usable. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beat);
    clearInterval(this.#sweep);
    await this.#unfinished.retry();
  }

  async #decide(request: AdmissionRequest): Promise<Decision> {
    const { tenant, requestId } = request;
    const hold = holdOf(request.price, request.promptTokens, request.completionTokensLimit);
    const account = new TenantAccount(this.#redis, tenant.id, this.#clock);
    await this.#noteActive(tenant.id);
    const places = new ModelPlaces(this.#redis, request.model, this.#clock);
    const costTokens = request.promptTokens + request.completionTokensLimit;
    const { reserved, place } = await this.#admit(account, places, request, hold);
    const { requests, tokens, allowance } = reserved;
    const rates: RateStandings = { requests, tokens, allowance };
    if (place === null) return { admitted: false, error: refusalOfReserve(request, reserved, hold), rates };
    if (place.verdict !== 'placed') {
      return { admitted: false, error: refusalOfPlace(request, place), rates: givenBack(rates, costTokens, hold) };
    }
    const handle = this.#handle({
      requestId,
      reservationId: requestId,
      paidMicrocredits: request.paidMicrocredits ?? 0,
      served: false,
      keyId: request.keyId,
      price: request.price,
      slots: request.slots,
      costTokens,
      weight: tenant.weight,
      account,
      places,
      place,
    });
    const terms: AdmissionTerms = {
      requestId,
      tenantId: tenant.id,
      keyId: request.keyId,
      model: request.model,
      price: request.price,
      holdMicrocredits: hold,
      unlimitedCredits: tenant.credits === 'unlimited',
      costTokens,
      weight: tenant.weight,
      reservationId: requestId,
      paidMicrocredits: request.paidMicrocredits ?? 0,
      epoch: FIRST_EPOCH,
      served: false,
    };
    const { ahead, waitMs } = place;
    return { admitted: true, terms, handle, rates, ahead, waitMs, mayOffer: offerGround(place) };
  }

  #handle(parts: Omit<HandleParts, 'due' | 'affinity' | 'persist' | 'nowMs' | 'onEnd' | 'leaseMs'>): AdmissionHandle {
    const { model } = parts.places;
    const handle: AdmissionHandle = new AdmissionHandle({
      ...parts,
      due: new DueRequests(this.#redis, model),
      affinity: new PromptAffinity(this.#redis, model),
      persist: (name, call) => this.#unfinished.run(name, call),
      nowMs: () => this.#clock.nowMs(),
      leaseMs: this.#leaseMs,
      onEnd: () => this.#open.delete(handle),
    });
    this.#open.add(handle);
    return handle;
  }

  /** @throws MillraceError unavailable; what may have been taken all the same is given back */
  async #admit(
    account: TenantAccount,
    places: ModelPlaces,
    request: AdmissionRequest,
    hold: number,
  ): Promise<JointAnswer> {
    const { tenant, requestId } = request;
    const costTokens = request.promptTokens + request.completionTokensLimit;
    const wanted: Reservation = {
      requestId,
      requestsPerMinute: tenant.requestsPerMinute,
      tokensPerMinute: tenant.tokensPerMinute,
      concurrency: tenant.concurrency,
      tokens: costTokens,
      holdMicrocredits: hold,
      unlimitedCredits: tenant.credits === 'unlimited',
      leaseMs: this.#leaseMs,
      bill: { model: request.model, keyId: request.keyId, price: request.price },
    };
    const wantedPlace: PlaceRequest = {
      requestId,
      tenantId: tenant.id,
      places: this.#queuePlaces,
      placesOfTenant: Math.max(1, Math.ceil(tenant.queueShare * this.#queuePlaces)),
      mostJobs: 2 * this.#queuePlaces,
      slots: request.slots,
      costTokens,
      weight: tenant.weight,
      ...(request.priorityClass === undefined ? {} : { priorityClass: request.priorityClass }),
      leaseMs: this.#leaseMs,
      longestWaitMs: request.longestWaitMs,
      refusedBefore: request.refusedBefore,
    };
    const ask = async (): Promise<JointAnswer> =>
      (await this.#joint.admit(account, wanted, places, wantedPlace)) ??
      this.#admitApart(account, wanted, places, wantedPlace);
    try {
      const answer = await ask();
      // A dead replica may still hold the credits; only then is there something to find.
      if (answer.reserved.verdict !== 'credits' || (await this.#expireDead(tenant.id)) === 0) return answer;
      return await ask();
    } catch (error) {
      // Both may have been taken although the answer was lost.
      this.#unfinished.keep(`release ${requestId}`, () => account.release(requestId));
      const holder = { requestId, tenantId: tenant.id, costTokens, weight: tenant.weight };
      this.#unfinished.keep(`leave ${requestId}`, () => places.leave(holder));
      throw error;
    }
  }

  /** One after the other, the first taken back when the second refuses. */
  async #admitApart(
    account: TenantAccount,
    wanted: Reservation,
    places: ModelPlaces,
    wantedPlace: PlaceRequest,
  ): Promise<JointAnswer> {
    const reserved = await account.reserve(wanted);
    if (reserved.verdict !== 'reserved') return { reserved, place: null };
    const place = await places.take(wantedPlace);
    if (place.verdict !== 'placed') await this.#release(account, wanted.requestId);
    return { reserved, place };
  }

  #release(account: TenantAccount, requestId: string): Promise<void> {
    return this.#unfinished.run(`release ${requestId}`, () => account.release(requestId));
  }

  /** A replica that only stopped for a moment gets one heartbeat more to come back. */
  #expireDead(tenantId: string): Promise<number> {
    return new TenantAccount(this.#redis, tenantId, this.#clock).expireDead(this.#leaseMs / 3);
  }

  async #renew(tenantId: string, handles: readonly AdmissionHandle[]): Promise<void> {
    await this.#noteActive(tenantId);
    const account = new TenantAccount(this.#redis, tenantId, this.#clock);
    await account.renew(
      handles.map((handle) => handle.reservationId),
      this.#leaseMs,
    );
    for (const model of new Set(handles.map((handle) => handle.model))) {
      const ofModel = handles.filter((handle) => handle.model === model);
      const places = new ModelPlaces(this.#redis, model, this.#clock);
      const waiting = ofModel.filter(({ state }) => state === 'waiting').map(({ requestId }) => requestId);
      if (waiting.length > 0) await places.renew(tenantId, waiting, this.#leaseMs);
      const offered = ofModel.filter(({ servedByOffer }) => servedByOffer).map(({ requestId }) => requestId);
      if (offered.length > 0) await places.renewOffered(offered, this.#leaseMs);
    }
  }

  /** Before the first reservation, so that a replica's death right after it is noticed. */
  async #noteActive(tenantId: string): Promise<void> {
    const nowMs = this.#clock.nowMs();
    if (nowMs - (this.#activeNoted.get(tenantId) ?? Number.NEGATIVE_INFINITY) < ACTIVE_NOTED_MS) return;
    await redisCall(this.#redis, `note tenant ${tenantId}`, () =>
      this.#redis.zadd(redisKeys.activeTenants, nowMs, tenantId),
    );
    this.#activeNoted.set(tenantId, nowMs);
  }
}

function offerGround({ queued, waitMs, mayBeDue, queuedOfTenant }: PlaceAnswer): OfferGround | null {
  if (queued === 0 && waitMs === 0) return 'free slot';
  return mayBeDue && queuedOfTenant === 0 ? 'due seat' : null;
}

/** How the limits stand after a reservation was taken back. */
function givenBack(rates: RateStandings, tokens: number, hold: number): RateStandings {
  const { allowance } = rates;
  return {
    requests: { ...rates.requests, remaining: rates.requests.remaining + 1 },
    tokens: { ...rates.tokens, remaining: rates.tokens.remaining + tokens },
    allowance: allowance && { ...allowance, leftMicrocredits: allowance.leftMicrocredits + hold },
  };
}
