import { SeatShares } from '../seats/seat-shares.ts';
import type { TenantShare } from '../seats/tenant-share.ts';
import type { ActiveRequest } from '../sequences/active-request.ts';
import type { Sequence } from '../sequences/sequence.ts';
import type { KvBudget } from '../slots/kv-budget.ts';
import { ParkingLot } from '../slots/parking-lot.ts';
import { SlotPool } from '../slots/slot-pool.ts';
import { MIN_PREFILL_CHUNK_TOKENS } from './prefill-chunk.ts';
import { PrefillPace } from './prefill-pace.ts';
import type { SchedulerOutput } from './scheduler-output.ts';
import { WaitingLine } from './waiting-line.ts';

/** Copies the first `tokens` tokens' keys and values from one slot to another. */
export type CopySlot = (from: number, to: number, tokens: number) => void;

export interface SchedulerOptions {
  readonly slots: number;
  /** Behind the others; 0 for no parking. */
  readonly parkingSlots: number;
  readonly prefillChunkTokens: number;
  /** 0 for whole chunks. */
  readonly decodeStretch?: number;
  /** Parts in which the runner can compute a chunk. */
  readonly prefillParts?: number;
  readonly leastPrefillMs?: number;
  readonly budget: KvBudget;
  readonly copySlot: CopySlot;
  /** Nobody reads the source afterwards. */
  readonly moveSlot: CopySlot;
  /** Called with a sequence that has computed nothing, in its slot: it may find some of its prompt computed already. */
  readonly loadPrefix: (sequence: Sequence) => void;
}

const IDLE: SchedulerOutput = { kind: 'idle' };

/**
 * Decides who sits and what each step computes; sequences join and leave the decode batch between steps.
 *
 * Sequences wait in one line. A free seat goes to the tenant that has least of its share, and there to whoever came
 * first. With no seat free, the newest sequence of the tenant most above its share is parked for one of a tenant below
 * it (`SeatShares`): what it has computed is copied to a parking slot and back when its turn comes, in whatever seat.
 *
 * The first of a request computes the prompt, in chunks, in the slot behind the decode rows; between two decode runs
 * prefill gets at most `prefillChunkTokens` tokens, so no running answer waits longer than one chunk, or two where one is of a
 * tenant that is due more seats than it has. Siblings (`choices > 1`) copy the prompt's keys and values, which some slot of their request still holds: when a row ends while
 * a sibling waits, the sibling inherits the slot.
 */
export class Scheduler {
  readonly slots: SlotPool<Sequence>;
  readonly parking: ParkingLot;
  readonly shares = new SeatShares();
  readonly pace: PrefillPace;
  readonly #budget: KvBudget;
  readonly #copySlot: CopySlot;
  readonly #moveSlot: CopySlot;
  readonly #loadPrefix: (sequence: Sequence) => void;
  readonly #line = new WaitingLine();
  readonly #shareOf = new Map<ActiveRequest, TenantShare>();
  /** Inherited a slot with their prompt in it, and have no token yet. */
  readonly #heirs: Sequence[] = [];
  #arrivals = 0;
  #parks = 0;
  #preemptions = 0;

  constructor({
    slots,
    parkingSlots,
    prefillChunkTokens,
    decodeStretch = 0,
    prefillParts,
    leastPrefillMs,
    budget,
    copySlot,
    moveSlot,
    loadPrefix,
  }: SchedulerOptions) {
    if (!Number.isInteger(prefillChunkTokens) || prefillChunkTokens < MIN_PREFILL_CHUNK_TOKENS) {
      throw new RangeError(`prefillChunkTokens must be ${MIN_PREFILL_CHUNK_TOKENS} or more, got ${prefillChunkTokens}`);
    }
    this.slots = new SlotPool(slots, (sequence, from, to) => {
      sequence.chunk = null;
      moveSlot(from, to, sequence.computedTokens);
    });
    this.parking = new ParkingLot(parkingSlots, slots);
    this.pace = new PrefillPace({
      maxTokens: prefillChunkTokens,
      stretch: decodeStretch,
      parts: prefillParts,
      leastMs: leastPrefillMs,
    });
    this.#budget = budget;
    this.#copySlot = copySlot;
    this.#moveSlot = moveSlot;
    this.#loadPrefix = loadPrefix;
  }

  /** Sequences that hold nothing yet. */
  get waiting(): number {
    return this.#line.length - this.parking.parked;
  }

  /** How often a sequence was parked. */
  get parks(): number {
    return this.#parks;
  }

  /** How often a sequence lost what it had computed, for want of memory. */
  get preemptions(): number {
    return this.#preemptions;
  }

  /** Sequences whose keys and values are in some slot, parked ones as well. */
  *holders(): Iterable<Sequence> {
    yield* this.slots.rows;
    if (this.slots.prefilling !== null) yield this.slots.prefilling;
    yield* this.#line.parked();
  }

  add(request: ActiveRequest): void {
    const waiting = request.sequences.filter(({ phase }) => phase === 'waiting');
    const { tenantId = '', weight = 1 } = request.input;
    this.#shareOf.set(request, this.shares.enter(tenantId, weight, waiting.length));
    for (const sequence of waiting) {
      sequence.arrival = this.#arrivals++;
      this.#line.add(sequence);
    }
  }

  schedule(): SchedulerOutput {
    const joining = this.#heirs.splice(0);
    while (this.#line.length > 0 && this.#seatNext(joining));
    if (joining.length > 0) return { kind: 'join', sequences: joining };
    this.#stayWithinBudget();

    const sequence = this.slots.prefilling;
    const rows = this.slots.rows;
    const prefill = sequence === null ? null : this.#nextPrefill(sequence, rows.length > 0);
    if (prefill !== null) {
      this.shares.charge();
      return prefill;
    }
    if (rows.length === 0) return IDLE;
    this.pace.beginDecode();
    this.shares.charge();
    return { kind: 'decode', rows };
  }

  /** The prompt is computed: its sequence becomes a decode row. */
  promotePrefill(): void {
    const sequence = this.slots.prefilling;
    this.slots.promotePrefill();
    if (sequence !== null) sequence.phase = 'decode';
  }

  /** Ends a decoding sequence. Its slot is free at once, or goes to a sibling that waits for the prompt in it. */
  finish(sequence: Sequence): void {
    const { request } = sequence;
    const { heir } = request;
    sequence.end();
    if (heir === null) {
      this.#giveUpSeat(sequence);
    } else {
      this.#line.remove(heir);
      this.slots.replaceRow(sequence, heir);
      this.#startRow(heir);
      this.#heirs.push(heir);
    }
    this.shares.leave(this.#share(request));
    if (request.finished) this.#shareOf.delete(request);
  }

  /** Takes all sequences of a request out, in whatever phase. Returns those that had not finished. */
  abort(request: ActiveRequest): Sequence[] {
    const aborted = request.sequences.filter((sequence) => sequence.phase !== 'finished');
    for (const sequence of aborted) this.#line.remove(sequence);
    removeWhere(this.#heirs, (sequence) => sequence.request === request);
    // Highest slot first, so that a row about to leave is not moved into a hole.
    for (const sequence of aborted.filter(({ slot }) => slot >= 0).sort((a, b) => b.slot - a.slot)) {
      if (sequence.phase === 'parked') this.#leaveParking(sequence);
      else this.#giveUpSeat(sequence);
    }
    for (const sequence of aborted) {
      sequence.end();
      this.shares.leave(this.#share(request));
    }
    this.#shareOf.delete(request);
    return aborted;
  }

  /** Null when rows that wait come first. */
  #nextPrefill(sequence: Sequence, rowsWait: boolean): SchedulerOutput | null {
    const { computedTokens, chunk: begun } = sequence;
    const due = this.shares.giverFor(this.#share(sequence.request)) !== null;
    if (begun !== null) {
      if (!this.pace.continues(begun, begun.part, computedTokens, rowsWait, due)) return null;
      return { kind: 'prefill', sequence, chunkTokens: begun.tokens, part: begun.part, parts: begun.parts };
    }
    const chunk = this.pace.nextChunk(sequence.prefillTokenIds.length - computedTokens, computedTokens, rowsWait, due);
    if (chunk === null) return null;
    if (chunk.parts > 1) sequence.chunk = { ...chunk, part: 0, ms: 0 };
    return { kind: 'prefill', sequence, chunkTokens: chunk.tokens, part: 0, parts: chunk.parts };
  }

  /** Gives one seat to whom it is due, if anybody; others may lose theirs for it. */
  #seatNext(joining: Sequence[]): boolean {
    if (this.slots.free === 0 && this.shares.activeTenants < 2) return false;
    const candidates = this.#line.firstOfEach(
      (sequence) => this.#share(sequence.request),
      (sequence) => this.#canSit(sequence),
    );
    candidates.sort((a, b) => this.shares.order(this.#share(a.request), this.#share(b.request)));
    for (const candidate of candidates) {
      const inTheWay = this.#inTheWayOf(candidate);
      if (inTheWay === 'not due') continue;
      // Whoever comes first is waited for: others would take the memory that it needs, again and again.
      if (!this.#hasRoomFor(candidate)) {
        if (this.#preemptFor(candidate)) return true;
        if (this.#nobodySits) continue;
        return false;
      }
      if (inTheWay !== null) this.#park(inTheWay);
      this.#seat(candidate, joining);
      return true;
    }
    return false;
  }

  /** Siblings wait until their prompt is computed, prompts until their tenant's last one is. */
  #canSit(sequence: Sequence): boolean {
    if (isSibling(sequence)) return sequence.request.promptLogits !== null;
    const { prefilling } = this.slots;
    return (
      !sequence.prefilling || prefilling === null || this.#share(prefilling.request) !== this.#share(sequence.request)
    );
  }

  /** Who has to be parked for the candidate, null for nobody. */
  #inTheWayOf(candidate: Sequence): Sequence | null | 'not due' {
    const taker = this.#share(candidate.request);
    const { prefilling } = this.slots;
    let holder: Sequence | undefined;
    if (prefilling !== null && candidate.prefilling && !isSibling(candidate)) {
      // One prompt at a time.
      if (this.shares.isDue(taker, this.#share(prefilling.request))) holder = prefilling;
    } else {
      if (this.slots.free > 0) return null;
      const giver = this.shares.giverFor(taker);
      if (giver !== null) holder = this.#newestSeated(giver);
    }
    if (holder === undefined || (holder.chunk !== null && !holder.mayLoseChunk)) return 'not due';
    const mayMove = holder.untouched || this.parking.hasRoom(candidate.phase === 'parked');
    return mayMove ? holder : 'not due';
  }

  #hasRoomFor(candidate: Sequence): boolean {
    return !this.#budget.limited || candidate.phase === 'parked' || this.#fits(candidate);
  }

  /** Takes the memory of one sequence of the tenant most above its share; of any that is parked, when nobody sits. */
  #preemptFor(candidate: Sequence): boolean {
    const giver = this.#nobodySits ? null : this.shares.giverFor(this.#share(candidate.request));
    if (giver === null && !this.#nobodySits) return false;
    const victim = this.#newestHolder(giver);
    if (victim === undefined) return false;
    this.#preempt(victim);
    return true;
  }

  get #nobodySits(): boolean {
    return this.slots.occupied === 0;
  }

  #fits(candidate: Sequence): boolean {
    const held = this.#heldTokens();
    if (held === 0) return true;
    const reserve = this.#budget.reserveFor(this.slots.occupied);
    return held + this.#budget.needOf(candidate) + reserve <= this.#budget.tokens;
  }

  #heldTokens(): number {
    let held = 0;
    for (const holder of this.holders()) held += this.#budget.needOf(holder);
    return held;
  }

  /** The newest sequences wait again and are computed anew, until what the others need next fits. */
  #stayWithinBudget(): void {
    if (!this.#budget.limited) return;
    while (this.#heldTokens() > this.#budget.tokens) {
      const victim = this.#newestHolder(null);
      if (victim === undefined) return;
      this.#preempt(victim);
    }
  }

  /** Parked ones first, who do not run; never the last one, nor who keeps the prompt for its siblings. */
  #newestHolder(share: TenantShare | null): Sequence | undefined {
    const holders = [...this.holders()].filter(
      (sequence) =>
        (share === null || this.#share(sequence.request) === share) &&
        (sequence.prefilling || !sequence.request.hasWaitingSiblings || sequence.request.promptHolders > 1),
    );
    if (this.slots.occupied + this.parking.parked < 2 && !this.#nobodySits) return undefined;
    const parked = holders.filter(({ phase }) => phase === 'parked');
    return (parked.length > 0 ? parked : holders).sort((a, b) => b.arrival - a.arrival)[0];
  }

  #preempt(sequence: Sequence): void {
    if (sequence.phase === 'parked') this.#leaveParking(sequence);
    else this.#giveUpSeat(sequence);
    sequence.preempt();
    this.#line.remove(sequence);
    this.#line.add(sequence);
    this.#preemptions += 1;
  }

  #newestSeated(share: TenantShare): Sequence | undefined {
    const { rows, prefilling } = this.slots;
    let newest: Sequence | undefined;
    for (const sequence of prefilling === null ? rows : [...rows, prefilling]) {
      if (this.#share(sequence.request) !== share) continue;
      if (newest === undefined || sequence.arrival > newest.arrival) newest = sequence;
    }
    return newest;
  }

  #park(sequence: Sequence): void {
    const { slot, computedTokens } = sequence;
    if (sequence.chunk !== null) sequence.mayLoseChunk = false;
    if (sequence.untouched) {
      this.#giveUpSeat(sequence);
      sequence.beginAgain();
      sequence.phase = 'waiting';
    } else {
      sequence.chunk = null;
      const parkingSlot = this.parking.take();
      this.#moveSlot(slot, parkingSlot, computedTokens);
      this.#giveUpSeat(sequence);
      sequence.slot = parkingSlot;
      sequence.phase = 'parked';
      this.#parks += 1;
    }
    this.#line.add(sequence);
  }

  #seat(sequence: Sequence, joining: Sequence[]): void {
    const { request } = sequence;
    this.#line.remove(sequence);
    this.#share(request).seats += 1;
    if (isSibling(sequence)) {
      const source = request.sequences.find(({ slot, prefilling }) => slot >= 0 && !prefilling);
      if (source === undefined) throw new Error('no slot holds the prompt that a waiting sibling shares');
      this.slots.joinRows(sequence);
      this.#startRow(sequence);
      this.#copySlot(source.slot, sequence.slot, sequence.computedTokens);
      joining.push(sequence);
      return;
    }
    const parkingSlot = sequence.phase === 'parked' ? sequence.slot : null;
    if (sequence.prefilling) {
      if (request.sharesPrompt) request.promptOwner = sequence;
      sequence.phase = 'prefill';
      this.slots.seatForPrefill(sequence);
    } else {
      sequence.phase = 'decode';
      this.slots.joinRows(sequence);
    }
    if (sequence.computedTokens === 0) this.#loadPrefix(sequence);
    if (parkingSlot === null) return;
    this.#moveSlot(parkingSlot, sequence.slot, sequence.computedTokens);
    this.parking.release(parkingSlot);
  }

  #giveUpSeat(sequence: Sequence): void {
    this.slots.leave(sequence);
    this.#share(sequence.request).seats -= 1;
  }

  #leaveParking(sequence: Sequence): void {
    this.parking.release(sequence.slot);
    sequence.slot = -1;
  }

  #startRow(sibling: Sequence): void {
    sibling.phase = 'decode';
    sibling.computedTokens = sibling.request.promptLength;
  }

  #share(request: ActiveRequest): TenantShare {
    const share = this.#shareOf.get(request);
    if (share === undefined) throw new Error(`request ${request.input.requestId} is not in the scheduler`);
    return share;
  }
}

/** It copies the prompt instead of computing it. */
function isSibling(sequence: Sequence): boolean {
  const { promptOwner } = sequence.request;
  return sequence.waitsForPrompt && promptOwner !== null && promptOwner !== sequence;
}

function removeWhere<Item>(items: Item[], matches: (item: Item) => boolean): void {
  let kept = 0;
  for (const item of items) {
    if (!matches(item)) items[kept++] = item;
  }
  items.length = kept;
}
