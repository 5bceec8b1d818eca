import { tenantsWithShare } from './seat-share.ts';
import type { HeldJob, SlotLedger } from './slot-ledger.ts';

/** Where a worker finds requests that are due a seat although none is free (`DueRequests` of libs/admission). */
export interface ExpressSource {
  /** Makes the first request of a tenant not named the next one that is taken; null when there is none that fits. */
  summon(haveShare: readonly string[], room: number): Promise<{ readonly jobId: string } | null>;
  /** Hears when there may be one. */
  watch(listener: () => Promise<'done' | 'pass on'>): Disposable;
}

export interface ExpressLaneParts {
  readonly source: ExpressSource;
  /** Sequences that may be held beyond the slots: as many as the engine can park. */
  readonly places: number;
  readonly ledger: SlotLedger;
  /** The ledger has changed: work is to be asked for. */
  readonly onSummoned: () => void;
  readonly onError: (error: Error) => void;
}

/** A notice can be lost, and one that was summoned may be taken by somebody else. */
const LOOK_MS = 1_000;

/** Takes requests of tenants below their share into a worker whose slots are all held; the engine then makes room for them. */
export class ExpressLane {
  readonly #parts: ExpressLaneParts;
  #watch: Disposable | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Looks follow each other, so that each sees what the one before has taken. */
  #turn: Promise<unknown> = Promise.resolve();
  #takenTotal = 0;

  constructor(parts: ExpressLaneParts) {
    this.#parts = parts;
  }

  /** Requests that were taken although no slot was free: summoned, or offered. */
  get takenTotal(): number {
    return this.#takenTotal;
  }

  start(): void {
    this.#watch = this.#parts.source.watch(() => this.look());
    this.#timer = setInterval(() => void this.#lookAnew(), LOOK_MS).unref();
  }

  stop(): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = null;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Takes a job that was offered for a seat, without the queue. @returns false when its tenant is not due one here, or there is no room */
  takeOffered(jobId: string, job: HeldJob): boolean {
    const { places, ledger } = this.#parts;
    const due = !tenantsWithShare(ledger.slots, ledger.holdings).includes(job.tenantId);
    const full = ledger.freeSlots <= 0;
    if (!due || !ledger.holdOffered(jobId, job, places)) return false;
    if (full) this.#takenTotal += 1;
    return true;
  }

  /** Summons a request if one is due here and can be taken. */
  look(): Promise<'done' | 'pass on'> {
    const look = this.#turn.then(() => this.#look());
    this.#turn = look;
    return look;
  }

  async #look(): Promise<'done' | 'pass on'> {
    const { source, places, ledger, onSummoned, onError } = this.#parts;
    if (this.#watch === null) return 'pass on';
    // With a free slot the next request is taken anyway, and then it is looked again.
    if (ledger.freeSlots > 0 || ledger.summoned !== null) return 'done';
    const room = places + ledger.freeSlots;
    if (room <= 0) return 'pass on';
    try {
      const summoned = await source.summon(tenantsWithShare(ledger.slots, ledger.holdings), room);
      if (summoned === null) return 'pass on';
      this.#takenTotal += 1;
      // It may have come before the answer: somebody's seat was just free.
      if (ledger.holds(summoned.jobId)) return 'done';
      ledger.summon(summoned.jobId);
      onSummoned();
      return 'done';
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
      return 'pass on';
    }
  }

  async #lookAnew(): Promise<void> {
    const { ledger } = this.#parts;
    const before = ledger.summoned;
    await this.look();
    if (before !== null && ledger.summoned === before) {
      ledger.summon(null);
      this.#parts.onSummoned();
    }
  }
}
