import type { Frame, Stack, Stacks } from './stacks.ts';

/** The ways in which one node is reached, while more are found. */
export class Ways {
  /** Whether somebody will take what is new. */
  isWaiting = false;
  readonly #stacks: Stacks;
  /** What was found first; most nodes are reached in one way. */
  readonly #first: Stack;
  /** All frames by their slots, from the second stack on. */
  #all: Map<number, Frame> | null = null;
  #isBottom: boolean;
  /** What nobody has taken yet. */
  #fresh: Map<number, Frame> | null = null;
  #hasFreshBottom = false;
  #isTaken = false;

  constructor(stacks: Stacks, first: Stack) {
    this.#stacks = stacks;
    this.#first = first;
    this.#isBottom = first.isBottom;
  }

  /** @returns whether any of it is new */
  add(stack: Stack): boolean {
    if (stack === this.#first) return false;
    const stacks = this.#stacks;
    this.#all ??= stacks.bySlot(this.#first);
    this.#fresh ??= this.#isTaken ? new Map() : stacks.bySlot(this.#first);
    let isNew = stack.isBottom && !this.#isBottom;
    this.#hasFreshBottom ||= isNew;
    this.#isBottom ||= stack.isBottom;
    for (const frame of stack.frames) {
      const slot = stacks.slotOf(frame);
      const known = this.#all.get(slot);
      const joined = stacks.joined(known, frame);
      if (joined === known) continue;
      isNew = true;
      this.#all.set(slot, joined);
      this.#fresh.set(slot, stacks.joined(this.#fresh.get(slot), frame));
    }
    return isNew;
  }

  /** What was added since the last time. */
  take(): Stack {
    const fresh = this.#fresh;
    const hasBottom = this.#hasFreshBottom || (!this.#isTaken && this.#first.isBottom);
    this.#isTaken = true;
    this.#hasFreshBottom = false;
    if (fresh === null) return this.#first;
    this.#fresh = new Map();
    return this.#stacks.stackOf([...fresh.values()], hasBottom);
  }

  /** All that was added. */
  get all(): Stack {
    return this.#all === null ? this.#first : this.#stacks.stackOf([...this.#all.values()], this.#isBottom);
  }
}
