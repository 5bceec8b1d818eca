import type { GrammarNode } from './grammar-node.ts';

const NO_SLOT = -1;

/** A rule, repeat or loop that is open: where the grammar goes on when it returns. */
export interface Frame {
  readonly id: number;
  /** The same for frames that go on alike, whatever is below them; `NO_SLOT` until two frames have to be compared. */
  slot: number;
  readonly next: GrammarNode;
  /** Of a repeat: how many there are with the one that is open; of what is counted: its characters. Otherwise 0. */
  readonly count: number;
  readonly below: Stack;
}

/**
 * All ways in which rules can be open at a place: with one of the frames on top, no two of which go on alike, or, at the bottom, with none.
 * However many ways a text can be read in, there is one stack for a place, and what the ways have in common is in it once (a
 * graph-structured stack: Tomita 1985). Stacks of the same ways are one object.
 */
export interface Stack {
  readonly id: number;
  /** In the order of their slots. */
  readonly frames: readonly Frame[];
  readonly isBottom: boolean;
  /** Most frames one upon the other, and one. */
  readonly depth: number;
  /** Whether a frame in it counts something. */
  readonly isCounted: boolean;
  readonly pushed: Map<GrammarNode, Map<number, Stack>>;
}

/** Makes the stacks of one grammar. */
export class Stacks {
  readonly bottom: Stack;
  /** Of several ways, by their frames; those of one are kept where they were pushed. */
  readonly #joined = new Map<string, Stack>();
  readonly #slots = new Map<GrammarNode, Map<number, number>>();
  /** By the numbers of two stacks. */
  readonly #unions = new Map<string, Stack>();
  #slotCount = 0;
  #frameCount = 0;
  #stackCount = 0;
  #work = 0;

  constructor() {
    this.bottom = this.#newStack([], true);
  }

  /** How many there are. */
  get count(): number {
    return this.#stackCount;
  }

  /** Frames that were looked at to join stacks, ever. */
  get work(): number {
    return this.#work;
  }

  /** `next` upon what is open. */
  pushed(next: GrammarNode, below: Stack, count = 0): Stack {
    let byCount = below.pushed.get(next);
    if (byCount === undefined) {
      byCount = new Map();
      below.pushed.set(next, byCount);
    }
    let stack = byCount.get(count);
    if (stack === undefined) {
      const frame = { id: this.#frameCount++, slot: NO_SLOT, next, count, below };
      stack = this.#newStack([frame], false);
      byCount.set(count, stack);
    }
    return stack;
  }

  /** All ways of both. */
  union(a: Stack, b: Stack): Stack {
    if (a === b) return a;
    const key = `${a.id} ${b.id}`;
    const known = this.#unions.get(key);
    if (known !== undefined) return known;
    const frames = this.bySlot(a);
    for (const frame of b.frames) {
      const slot = this.slotOf(frame);
      frames.set(slot, this.joined(frames.get(slot), frame));
    }
    const all = this.stackOf([...frames.values()], a.isBottom || b.isBottom);
    this.#unions.set(key, all);
    return all;
  }

  /** A frame with what is below two that go on alike. */
  joined(known: Frame | undefined, frame: Frame): Frame {
    this.#work += 1;
    if (known === undefined || known.below === frame.below) return known ?? frame;
    const below = this.union(known.below, frame.below);
    return this.pushed(frame.next, below, frame.count).frames[0];
  }

  /** @param frames in any order, of which no two go on alike */
  stackOf(frames: readonly Frame[], isBottom: boolean): Stack {
    const [only] = frames;
    if (only === undefined) return this.bottom;
    if (frames.length === 1 && !isBottom) return this.pushed(only.next, only.below, only.count);
    this.#work += frames.length;
    const sorted = [...frames].sort((a, b) => this.slotOf(a) - this.slotOf(b));
    const key = `${isBottom}${sorted.map(({ id }) => id).join()}`;
    let stack = this.#joined.get(key);
    if (stack === undefined) {
      stack = this.#newStack(sorted, isBottom);
      this.#joined.set(key, stack);
    }
    return stack;
  }

  /**
   * What is open behind `next`. A loop that nothing follows, and behind it that loop again, is that loop: otherwise it would be open
   * once for each part of a text.
   */
  behind(next: GrammarNode, stack: Stack): Stack {
    if (next.kind !== 'loop' || next.next.kind !== 'return') return stack;
    const again = stack.frames.find((frame) => frame.next === next);
    if (again === undefined) return stack;
    const others = stack.frames.filter((frame) => frame !== again);
    if (others.length === 0 && !stack.isBottom) return again.below;
    return this.union(this.stackOf(others, stack.isBottom), again.below);
  }

  /** Forgets which stacks were joined: hardly any two are again. */
  forgetUnions(): void {
    this.#unions.clear();
  }

  /** A stack's frames. */
  bySlot({ frames }: Stack): Map<number, Frame> {
    return new Map(frames.map((frame) => [this.slotOf(frame), frame]));
  }

  slotOf(frame: Frame): number {
    if (frame.slot !== NO_SLOT) return frame.slot;
    const { next, count } = frame;
    let byCount = this.#slots.get(next);
    if (byCount === undefined) {
      byCount = new Map();
      this.#slots.set(next, byCount);
    }
    frame.slot = byCount.get(count) ?? this.#slotCount++;
    byCount.set(count, frame.slot);
    return frame.slot;
  }

  #newStack(frames: readonly Frame[], isBottom: boolean): Stack {
    let depth = 0;
    let isCounted = false;
    for (const { count, below } of frames) {
      depth = Math.max(depth, below.depth);
      isCounted ||= count > 0 || below.isCounted;
    }
    return {
      id: this.#stackCount++,
      frames,
      isBottom,
      depth: depth + 1,
      isCounted,
      pushed: new Map(),
    };
  }
}
