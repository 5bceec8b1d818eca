import { TenantShare } from './tenant-share.ts';

/** Lag in weighted steps that counts as much as one weighted seat: how long seats that can not be shared out evenly stay. */
export const SEAT_QUANTUM_STEPS = 64;

/**
 * Who is due a seat. Each tenant's level is the seats that it holds ÷ weight, plus the seat time that it has had more than
 * others ÷ quantum. A seat goes from tenant v to tenant t when v is not below t even after it:
 *
 *     level(v) − 1/w(v) ≥ level(t) + 1/w(t)
 *
 * Seats are so shared out by weight at once, and what integers leave over goes round in turns of a quantum: over any
 * time in which two tenants both want seats, their seat time ÷ weight differs by a constant (docs/architecture/admission.md).
 * It is start-time fair queueing with preemption, as in the Virtual Token Counter of Sheng et al., "Fairness in Serving
 * Large Language Models" (OSDI 2024), but over seats × runs, which is what sequences compete for.
 *
 * A tenant that comes from having nothing here starts two quanta (one of each's) behind whoever is furthest ahead, so it is due a seat
 * at once, also where there are more tenants than seats; what it had before is not forgotten by that.
 */
export class SeatShares {
  readonly #tenants = new Map<string, TenantShare>();
  readonly #quantumSteps: number;
  readonly #nowMs: () => number;
  #active = 0;
  #emptySinceMs = 0;

  constructor(quantumSteps: number = SEAT_QUANTUM_STEPS, nowMs: () => number = () => performance.now()) {
    this.#quantumSteps = quantumSteps;
    this.#nowMs = nowMs;
  }

  /** Tenants with sequences in the engine. */
  get activeTenants(): number {
    return this.#active;
  }

  /** Largest difference of weighted seat time between tenants in the engine, in steps. */
  get lagSteps(): number {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const { sequences, servedSteps } of this.#tenants.values()) {
      if (sequences === 0) continue;
      least = Math.min(least, servedSteps);
      most = Math.max(most, servedSteps);
    }
    return most > least ? most - least : 0;
  }

  /** Sequences of a tenant come into the engine. */
  enter(tenantId: string, weight: number, sequences: number): TenantShare {
    let share = this.#tenants.get(tenantId);
    if (share === undefined) {
      share = new TenantShare(tenantId, weight);
      share.servedSteps = Number.NEGATIVE_INFINITY;
    }
    if (sequences === 0) return share;
    share.weight = weight;
    if (share.sequences === 0) this.#activate(share);
    share.sequences += sequences;
    return share;
  }

  /** A sequence of the tenant has left the engine; its seat, if it had one, is given up before. */
  leave(share: TenantShare): void {
    share.sequences -= 1;
    if (share.sequences > 0) return;
    this.#active -= 1;
    if (this.#active === 0) this.#emptySinceMs = this.#nowMs();
  }

  /** A run: whoever sits is served. It counts for nothing while nobody else is here to want the seats. */
  charge(): void {
    if (this.#active < 2) return;
    for (const share of this.#tenants.values()) share.servedSteps += share.seats * share.seatValue;
  }

  /** Smaller is sooner, among those who want a seat. */
  readonly order = (a: TenantShare, b: TenantShare): number =>
    this.#level(a) + a.seatValue - (this.#level(b) + b.seatValue);

  /** Whether a seat of `holder` is due to `taker`. */
  isDue(taker: TenantShare, holder: TenantShare): boolean {
    if (taker === holder || holder.seats === 0) return false;
    const seatsApart = (holder.seats - 1) * holder.seatValue - (taker.seats + 1) * taker.seatValue;
    return seatsApart + (holder.servedSteps - taker.servedSteps) / this.#quantumSteps >= -EPSILON;
  }

  /** The tenant that gives up a seat for `taker`: the one most above its share, if it is due. */
  giverFor(taker: TenantShare): TenantShare | null {
    let giver: TenantShare | null = null;
    for (const share of this.#tenants.values()) {
      if (!this.isDue(taker, share)) continue;
      if (giver === null || this.#level(share) - share.seatValue > this.#level(giver) - giver.seatValue) giver = share;
    }
    return giver;
  }

  #level(share: TenantShare): number {
    return share.seats * share.seatValue + share.servedSteps / this.#quantumSteps;
  }

  /**
   * Lifts the tenant to where nobody who is here is further ahead of it than two who are here may be. An engine that is empty
   * may be so for the moment between two requests of tenants that have hundreds waiting: what they owe each other stays, too,
   * unless the moment is a long one.
   */
  #activate(share: TenantShare): void {
    const quantum = this.#quantumSteps;
    if (this.#active === 0 && this.#nowMs() - this.#emptySinceMs > FORGET_MS) {
      this.#tenants.clear();
      share.servedSteps = 0;
    }
    let floor = Number.NEGATIVE_INFINITY;
    for (const other of this.#tenants.values()) {
      if (other === share || (other.sequences === 0 && this.#active > 0)) continue;
      floor = Math.max(floor, other.servedSteps - quantum * other.seatValue);
    }
    share.servedSteps = Math.max(share.servedSteps, floor - quantum * share.seatValue);
    if (share.servedSteps === Number.NEGATIVE_INFINITY) share.servedSteps = 0;
    this.#tenants.delete(share.tenantId);
    this.#forget(floor);
    // Behind all others, so that those stand first who were not here for longest.
    this.#tenants.set(share.tenantId, share);
    this.#active += 1;
  }

  /** Of those who have gone: whoever would be lifted past what is remembered of it, and the first ones of too many. */
  #forget(floor: number): void {
    let tooMany = this.#tenants.size - this.#active - GONE_REMEMBERED;
    for (const [tenantId, { sequences, servedSteps, seatValue }] of this.#tenants) {
      if (sequences > 0) continue;
      if (tooMany-- > 0 || servedSteps <= floor - this.#quantumSteps * seatValue) this.#tenants.delete(tenantId);
    }
  }
}

/** Tenants without sequences whose seat time is remembered; it is at most two quanta of each. */
const GONE_REMEMBERED = 64;
/** The engine has been empty for so long that nobody is owed anything. */
const FORGET_MS = 1_000;

/** Seat values are fractions: a tie must not depend on their last bits. */
const EPSILON = 1e-9;
