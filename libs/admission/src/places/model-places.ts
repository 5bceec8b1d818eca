import type { Redis } from 'ioredis';
import { redisCall, redisKeys } from '#queue';
import { type Clock, systemClock } from '../clock.ts';
import { LuaScript, type ScriptCall } from '../lua/lua-script.ts';
import { HIGHEST_PRIORITY, REBASE_TOKENS, UNIT_TOKENS } from './fair-tags.ts';
import { PRIORITY_CLASSES, type PriorityClass } from './priority-class.ts';

const takePlace = new LuaScript('take-place', 14);
const startService = new LuaScript('start-service', 8);
const leaveQueue = new LuaScript('leave-queue', 7);
const finishService = new LuaScript('finish-service', 2);
const renewLeases = new LuaScript('renew-leases', 1);
const rebase = new LuaScript('rebase', 4);
const queuePosition = new LuaScript('queue-position', 5);
const correctPriority = new LuaScript('correct-priority', 3);

/** Until a request of the model was measured. */
export const ASSUMED_SERVICE_MS = 2_000;

export interface PlaceRequest {
  readonly requestId: string;
  readonly tenantId: string;
  /** Places of the whole queue. */
  readonly places: number;
  readonly placesOfTenant: number;
  /** Jobs in BullMQ, whoever put them there, from which on the model is overloaded. */
  readonly mostJobs: number;
  /** Slots of all workers that serve the model now. */
  readonly slots: number;
  /** Estimated tokens of the request. */
  readonly costTokens: number;
  readonly weight: number;
  /** Order among the tenant's own requests; `normal` by default. */
  readonly priorityClass?: PriorityClass;
  readonly leaseMs: number;
  /** Refused when the estimated wait is longer; null for any wait. */
  readonly longestWaitMs: number | null;
  /** Whether its client was refused before and comes back as it was told to; null when it does not say. */
  readonly refusedBefore: boolean | null;
}

export interface PlaceAnswer {
  readonly verdict: 'placed' | 'overloaded' | 'full' | 'share' | 'late';
  /** For BullMQ: 1 is first. */
  readonly priority: number;
  readonly startTag: number;
  /** The tag that priority 1 stood for. */
  readonly base: number;
  /** Jobs in front of it. */
  readonly ahead: number;
  readonly waitMs: number;
  readonly retryAfterMs: number;
  /** Places taken in the whole queue. */
  readonly taken: number;
  /** Workers may have to be told of it: seats are held, and the tenant has few requests waiting. */
  readonly mayBeDue: boolean;
  /** Jobs that no worker has taken, whoever goes first. */
  readonly queued: number;
  /** The tenant's own requests that wait. */
  readonly queuedOfTenant: number;
  /** The tenant's requests overtake each other, so the priority may have changed before the job was queued. */
  readonly mayBeOvertaken: boolean;
}

/** Where a waiting request stands. */
export interface QueuePosition {
  /** Jobs in front of it. */
  readonly ahead: number;
  readonly waitMs: number;
}

/** Who holds a place, and what it was tagged with. */
export interface PlaceHolder {
  readonly requestId: string;
  readonly tenantId: string;
  readonly costTokens: number;
  readonly weight: number;
}

/** The places in one model's queue, in fair order. Every method throws MillraceError `unavailable` when Redis is away. */
export class ModelPlaces {
  readonly model: string;
  readonly #redis: Redis;
  readonly #clock: Clock;

  constructor(redis: Redis, model: string, clock: Clock = systemClock) {
    this.#redis = redis;
    this.model = model;
    this.#clock = clock;
  }

  /** Takes a place, or none. The same id twice is one place. */
  async take(wanted: PlaceRequest): Promise<PlaceAnswer> {
    const { keys, args } = this.takeCall(wanted);
    return this.answerOf(await this.#run(takePlace, keys, [this.#clock.scriptTime(), ...args]));
  }

  /** For a script that takes a place among other things. */
  takeCall(wanted: PlaceRequest): ScriptCall {
    const keys = [
      ...this.#places(wanted.tenantId),
      redisKeys.drain(this.model),
      redisKeys.prioritizedJobs(this.model),
      redisKeys.waitJobs(this.model),
      redisKeys.activeJobs(this.model),
      redisKeys.appointments(this.model),
      redisKeys.appointmentsOf(this.model, wanted.tenantId),
      ...this.#lines(),
      redisKeys.offered(this.model),
    ];
    const args = [
      wanted.requestId,
      wanted.tenantId,
      wanted.places,
      wanted.placesOfTenant,
      wanted.mostJobs,
      wanted.slots,
      wanted.costTokens,
      wanted.weight,
      wanted.leaseMs,
      UNIT_TOKENS,
      wanted.longestWaitMs ?? -1,
      ASSUMED_SERVICE_MS,
      HIGHEST_PRIORITY,
      wanted.refusedBefore === null ? '' : Number(wanted.refusedBefore),
      PRIORITY_CLASSES.indexOf(wanted.priorityClass ?? 'normal'),
    ];
    return { keys, args };
  }

  /** What such a script returned for it. */
  answerOf(answer: unknown): PlaceAnswer {
    const [verdict, ...figures] = answer as [PlaceAnswer['verdict'], ...(string | number)[]];
    const [
      priority = 1,
      startTag = 0,
      base = 0,
      ahead = 0,
      waitMs = 0,
      retryAfterMs = 0,
      taken = 0,
      due = 0,
      moved = 0,
      queued = 0,
      queuedOfTenant = 0,
    ] = figures.map(Number);
    const hints = { mayBeDue: due === 1, mayBeOvertaken: moved === 1 };
    const counts = { ahead, taken, queued, queuedOfTenant };
    return { verdict, priority, startTag, base, waitMs, retryAfterMs, ...counts, ...hints };
  }

  /**
   * After the job was queued: puts its priority right should a rebase have come in between, or a request of its tenant that
   * overtook it. Cheap, and only needed while one of the two may be.
   */
  async confirm(requestId: string, epoch: number): Promise<void> {
    const keys = [
      redisKeys.fairClock(this.model),
      redisKeys.startTags(this.model),
      redisKeys.prioritizedJobs(this.model),
    ];
    const jobId = redisKeys.jobId(requestId, epoch);
    await this.#run(correctPriority, keys, [jobId, requestId, UNIT_TOKENS, HIGHEST_PRIORITY]);
  }

  /** @param slots of all workers that serve the model now @returns null when the job is not queued (any more) */
  async position(requestId: string, epoch: number, slots: number): Promise<QueuePosition | null> {
    const keys = [
      redisKeys.prioritizedJobs(this.model),
      redisKeys.waitJobs(this.model),
      redisKeys.activeJobs(this.model),
      redisKeys.drain(this.model),
      redisKeys.offered(this.model),
    ];
    const args = [this.#clock.scriptTime(), redisKeys.jobId(requestId, epoch), slots, ASSUMED_SERVICE_MS];
    const answer = (await this.#run(queuePosition, keys, args)) as [number, number] | null;
    return answer === null ? null : { ahead: answer[0], waitMs: answer[1] };
  }

  /**
   * A worker has taken the request. Rebases priorities when virtual time has gone far enough.
   * @param offeredLeaseMs for how long a request counts as held that was offered to its worker; 0 for one of the queue
   */
  async start(requestId: string, tenantId: string, offeredLeaseMs = 0): Promise<void> {
    const keys = [...this.#places(tenantId), ...this.#lines(), redisKeys.offered(this.model)];
    const args = [this.#clock.scriptTime(), requestId, offeredLeaseMs];
    const [, distance] = (await this.#run(startService, keys, args)) as [number, number];
    if (distance >= REBASE_TOKENS) await this.rebase(REBASE_TOKENS);
  }

  /** The request leaves without having been served, and does not count against its tenant. */
  async leave(holder: PlaceHolder): Promise<boolean> {
    const args = [holder.requestId, holder.tenantId, holder.costTokens, holder.weight];
    return (await this.#run(leaveQueue, [...this.#places(holder.tenantId), ...this.#lines()], args)) === 1;
  }

  /** A served request has ended. @param serviceMs since a worker took it */
  async finish(requestId: string, serviceMs: number): Promise<void> {
    const keys = [redisKeys.drain(this.model), redisKeys.offered(this.model)];
    await this.#run(finishService, keys, [Math.max(1, serviceMs), requestId]);
  }

  /** BullMQ counts the request from now on. */
  async leaveOffered(requestId: string): Promise<void> {
    await redisCall(this.#redis, `count request ${requestId} with the queue`, () =>
      this.#redis.zrem(redisKeys.offered(this.model), requestId),
    );
  }

  /** Those that were offered and still run. */
  async renewOffered(requestIds: readonly string[], leaseMs: number): Promise<void> {
    const args = [this.#clock.scriptTime(), leaseMs, 0, ...requestIds];
    await this.#run(renewLeases, [redisKeys.offered(this.model)], args);
  }

  /** @returns the ids whose place is gone */
  async renew(tenantId: string, requestIds: readonly string[], leaseMs: number): Promise<string[]> {
    const keyOfTenant = redisKeys.waitingOf(this.model, tenantId);
    const time = this.#clock.scriptTime();
    const [gone] = await Promise.all([
      this.#run(renewLeases, [redisKeys.waiting(this.model)], [time, leaseMs, 0, ...requestIds]),
      this.#run(renewLeases, [keyOfTenant], [time, leaseMs, leaseMs * 4, ...requestIds]),
    ]);
    return gone as string[];
  }

  /** Makes priorities start at the present virtual time, if it is `distanceTokens` from their base. @returns jobs moved */
  async rebase(distanceTokens: number): Promise<number> {
    const keys = [
      redisKeys.fairClock(this.model),
      redisKeys.startTags(this.model),
      redisKeys.prioritizedJobs(this.model),
      redisKeys.waiting(this.model),
    ];
    return Number(await this.#run(rebase, keys, [distanceTokens, UNIT_TOKENS, HIGHEST_PRIORITY]));
  }

  /** waiting, waiting of the tenant, start tags, finish tags, fair clock */
  #places(tenantId: string): string[] {
    return [
      redisKeys.waiting(this.model),
      redisKeys.waitingOf(this.model, tenantId),
      redisKeys.startTags(this.model),
      redisKeys.finishTags(this.model),
      redisKeys.fairClock(this.model),
    ];
  }

  /** lines, waiters */
  #lines(): string[] {
    return [redisKeys.lines(this.model), redisKeys.waiters(this.model)];
  }

  #run(script: LuaScript, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return redisCall(this.#redis, `${script.name} for model ${this.model}`, () => script.run(this.#redis, keys, args));
  }
}
