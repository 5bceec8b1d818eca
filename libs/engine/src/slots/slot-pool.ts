/** What sits in a slot; the pool keeps `slot` right when it moves somebody. */
export interface SlotOccupant {
  slot: number;
}

/** Copies what `occupant` has computed so far from one slot to another. */
export type MoveOccupant<Occupant> = (occupant: Occupant, from: number, to: number) => void;

/**
 * Who sits where. A decode run covers the rows 0 … rows−1, so decoding occupants are kept contiguous: when one leaves,
 * the last row moves into the hole. At most one occupant is in prefill; it takes the slot just behind the rows, where it
 * usually becomes the next row without a move.
 */
export class SlotPool<Occupant extends SlotOccupant> {
  readonly capacity: number;
  readonly #move: MoveOccupant<Occupant>;
  readonly #rows: Occupant[] = [];
  #prefilling: Occupant | null = null;

  constructor(capacity: number, move: MoveOccupant<Occupant>) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`a slot pool needs at least one slot, got ${capacity}`);
    }
    this.capacity = capacity;
    this.#move = move;
  }

  /** The decoding occupants; entry r sits in slot r. */
  get rows(): readonly Occupant[] {
    return this.#rows;
  }

  get prefilling(): Occupant | null {
    return this.#prefilling;
  }

  get occupied(): number {
    return this.#rows.length + (this.#prefilling === null ? 0 : 1);
  }

  get free(): number {
    return this.capacity - this.occupied;
  }

  /** A quantity of all occupants together. */
  sumOf(quantity: (occupant: Occupant) => number): number {
    let sum = this.#prefilling === null ? 0 : quantity(this.#prefilling);
    for (const occupant of this.#rows) sum += quantity(occupant);
    return sum;
  }

  /** Seats an occupant for prefill, behind the rows. */
  seatForPrefill(occupant: Occupant): void {
    this.#requireFreeSlot();
    if (this.#prefilling !== null) throw new Error('a slot pool seats one prefill at a time');
    occupant.slot = this.#rows.length;
    this.#prefilling = occupant;
  }

  /** The occupant in prefill becomes the last row. Rows may have left meanwhile, then it moves up. */
  promotePrefill(): void {
    const occupant = this.#prefilling;
    if (occupant === null) throw new Error('nobody is in prefill');
    this.#prefilling = null;
    this.#relocate(occupant, this.#rows.length);
    this.#rows.push(occupant);
  }

  /** Seats an occupant as the last row. The one in prefill moves up when it sits there. */
  joinRows(occupant: Occupant): void {
    this.#requireFreeSlot();
    if (this.#prefilling?.slot === this.#rows.length) this.#relocate(this.#prefilling, this.#rows.length + 1);
    occupant.slot = this.#rows.length;
    this.#rows.push(occupant);
  }

  /** Gives the slot of one decoding occupant, with what it holds, to another. */
  replaceRow(leaving: Occupant, heir: Occupant): void {
    this.#requireRow(leaving);
    heir.slot = leaving.slot;
    this.#rows[leaving.slot] = heir;
    leaving.slot = -1;
  }

  /** Frees the occupant's slot and closes the hole. */
  leave(occupant: Occupant): void {
    if (occupant === this.#prefilling) {
      this.#prefilling = null;
    } else {
      this.#requireRow(occupant);
      const last = this.#rows.pop();
      if (last !== undefined && last !== occupant) {
        this.#rows[occupant.slot] = last;
        this.#relocate(last, occupant.slot);
      }
    }
    occupant.slot = -1;
  }

  #relocate(occupant: Occupant, to: number): void {
    const from = occupant.slot;
    if (from === to) return;
    occupant.slot = to;
    this.#move(occupant, from, to);
  }

  #requireFreeSlot(): void {
    if (this.free === 0) throw new Error(`all ${this.capacity} slots are taken`);
  }

  #requireRow(occupant: Occupant): void {
    if (this.#rows[occupant.slot] !== occupant) throw new Error(`slot ${occupant.slot} is not held by this occupant`);
  }
}
