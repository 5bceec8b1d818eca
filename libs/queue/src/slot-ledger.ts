/**
 * How many jobs BullMQ may hold so that their choices fit the slots. BullMQ counts jobs and takes another while it holds
 * fewer than its concurrency; a job with n choices takes n slots. With concurrency = slots − Σ (n − 1), what is left
 * between jobs held and concurrency is exactly the number of free slots.
 */
export class SlotLedger {
  slots: number;
  readonly #choices = new Map<string, number>();

  constructor(slots: number) {
    this.slots = slots;
  }

  hold(jobId: string, choices: number): void {
    this.#choices.set(jobId, choices);
  }

  /** @returns whether the job was held */
  release(jobId: string): boolean {
    return this.#choices.delete(jobId);
  }

  /** Negative when a job with several choices was taken into the last free slots. */
  get freeSlots(): number {
    let held = 0;
    for (const choices of this.#choices.values()) held += choices;
    return this.slots - held;
  }

  /** At least 1, which BullMQ demands; it takes no further job then, because it holds one. */
  get jobConcurrency(): number {
    return Math.max(1, this.freeSlots + this.#choices.size);
  }
}
