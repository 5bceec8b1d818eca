/**
 * Who uses which parking slot. One slot more than there are places is kept for exchanges: whoever gives up a seat for a
 * parked sequence moves in before that one moves out.
 */
export class ParkingLot {
  /** Sequences that may be parked at a time. */
  readonly places: number;
  readonly #free: number[];
  readonly #total: number;

  /** @param slots the runner's parking slots @param firstSlot number of the first of them */
  constructor(slots: number, firstSlot: number) {
    this.#total = slots;
    this.places = Math.max(0, slots - 1);
    this.#free = Array.from({ length: slots }, (_, index) => firstSlot + slots - 1 - index);
  }

  get parked(): number {
    return this.#total - this.#free.length;
  }

  /** @param exchange whether a parked sequence leaves right after */
  hasRoom(exchange: boolean): boolean {
    return this.places > 0 && this.parked < this.places + (exchange ? 1 : 0);
  }

  take(): number {
    const slot = this.#free.pop();
    if (slot === undefined) throw new Error(`all ${this.#total} parking slots are taken`);
    return slot;
  }

  release(slot: number): void {
    this.#free.push(slot);
  }
}
