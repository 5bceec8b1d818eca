import type { Holding } from './seat-share.ts';

/** A job as it counts against the slots. */
export interface HeldJob {
  readonly choices: number;
  readonly tenantId: string;
  readonly weight: number;
}

/**
 * How many jobs BullMQ may hold so that their choices fit the slots. BullMQ counts jobs and takes another while it holds
 * fewer than its concurrency; a job with n choices takes n slots. With concurrency = slots − Σ (n − 1), what is left
 * between jobs held and concurrency is exactly the number of free slots. A job that was summoned for a tenant below its share
 * may come when no slot is free.
 *
 * Jobs that were offered take slots that BullMQ does not count. They leave it one, and of the places beyond the slots one, so that what it
 * takes, having waited for it maybe, fits.
 */
export class SlotLedger {
  slots: number;
  readonly #jobs = new Map<string, HeldJob>();
  readonly #offered = new Set<string>();
  #summoned: string | null = null;

  constructor(slots: number) {
    this.slots = slots;
  }

  /** The job that is on its way although no slot is free. */
  get summoned(): string | null {
    return this.#summoned;
  }

  /** @param jobId null when none will come */
  summon(jobId: string | null): void {
    this.#summoned = jobId;
  }

  /** @returns false when it came instead of a summoned one, which somebody else has taken: there is no slot for it */
  hold(jobId: string, job: HeldJob): boolean {
    const needsSlot = !this.#offered.has(jobId);
    const instead = needsSlot && this.#summoned !== null && this.#summoned !== jobId && this.freeSlots <= 0;
    this.#summoned = null;
    if (instead) return false;
    this.#jobs.set(jobId, job);
    this.#offered.delete(jobId);
    return true;
  }

  /**
   * @param places sequences that may be held beyond the slots, for a job that is due a seat; BullMQ's one job fits there, should
   * those that were offered hold every slot
   * @returns false when it is not held: there is no room for it beside one job of the queue, or it is here already
   */
  holdOffered(jobId: string, job: HeldJob, places = 0): boolean {
    if (this.#jobs.has(jobId) || this.freeSlots + places <= job.choices) return false;
    this.#jobs.set(jobId, job);
    this.#offered.add(jobId);
    return true;
  }

  holds(jobId: string): boolean {
    return this.#jobs.has(jobId);
  }

  /** Held without BullMQ's knowledge. */
  isOffered(jobId: string): boolean {
    return this.#offered.has(jobId);
  }

  /** @returns whether the job was held */
  release(jobId: string): boolean {
    this.#offered.delete(jobId);
    return this.#jobs.delete(jobId);
  }

  /** Negative when a job with several choices was taken into the last free slots, and when summoned jobs were. */
  get freeSlots(): number {
    let held = 0;
    for (const { choices } of this.#jobs.values()) held += choices;
    return this.slots - held;
  }

  /** What each tenant has here. */
  get holdings(): Holding[] {
    const holdings = new Map<string, Holding>();
    for (const { tenantId, weight, choices } of this.#jobs.values()) {
      const sequences = (holdings.get(tenantId)?.sequences ?? 0) + choices;
      holdings.set(tenantId, { tenantId, weight, sequences });
    }
    return [...holdings.values()];
  }

  /** At least 1, which BullMQ demands; it takes no further job then, because it holds one: offers leave it a slot. */
  get jobConcurrency(): number {
    const fromQueue = this.#jobs.size - this.#offered.size;
    if (this.#summoned !== null) return Math.max(this.freeSlots, 1) + fromQueue;
    return Math.max(1, this.freeSlots + fromQueue);
  }
}
