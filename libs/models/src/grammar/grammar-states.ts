import type { GrammarNode } from './grammar-node.ts';
import { GrammarWorkError } from './grammar-work-error.ts';
import type { MaskWalk } from './mask-walk.ts';

/** Most places that a text can be in at the same time; further ones are given up, which only narrows the grammar. */
const MAX_PLACES = 1_024;
/** Most rules that are open at the same time: the nesting of a document. */
const MAX_FRAMES = 1_024;
/** Open rules beyond which a document of any shape is nested no deeper. */
const SHALLOW_FRAMES = 64;
/** What a state takes in memory, about: by itself, and from when something behind it is known. */
const STATE_BYTES = 256;
const TRANSITIONS_BYTES = 2_048;
/** Places looked at for one mask, at most: some 50 ms of work. */
const MAX_WORK = 400_000;

/** Of a state behind which nothing is known yet. */
const UNKNOWN: (GrammarState | null | undefined)[] = new Array(256).fill(undefined);

type RepeatNode = Extract<GrammarNode, { kind: 'repeat' }>;
type CountingNode = Extract<GrammarNode, { kind: 'repeat' | 'counted' }>;

/** A rule or repeat that is open: where the grammar goes on when it returns. */
interface Frame {
  readonly next: GrammarNode | null;
  /** Of a repeat: how many there are with the one that is open; of what is counted: its characters. Otherwise 0. */
  readonly count: number;
  readonly parent: Frame | null;
  readonly depth: number;
  readonly inner: Map<GrammarNode, Map<number, Frame>>;
  readonly places: Map<GrammarNode, Place>;
}

/** A node and the rules that are open there. */
interface Place {
  readonly id: number;
  readonly node: GrammarNode;
  readonly frame: Frame;
}

/** Everything that a text, as far as it is written, may be a beginning of. */
export interface GrammarState {
  /** The text is complete. */
  readonly accepting: boolean;
  readonly places: readonly Place[];
  /** [256] By the next byte: the state behind it, null where it may not be written, undefined where that is not known yet. */
  transitions: readonly (GrammarState | null | undefined)[];
  /** Which of the grammar's generations of states it belongs to. */
  readonly generation: number;
  /** Bits of the tokens that may come next; null while nobody has asked. */
  allowed: Int32Array | null;
  /** What makes them, where it has begun. */
  walk: MaskWalk | null;
}

/**
 * The states of a grammar, found as texts reach them. A state is a set of places, each with its own stack of open rules,
 * so alternatives that begin alike are followed together; states and stacks are interned, so what one text has found
 * others find again. This is the subset construction of a pushdown automaton, made lazily.
 */
export class GrammarStates {
  readonly #grammar: GrammarNode;
  readonly #states = new Map<string, GrammarState>();
  #start: GrammarState;
  #root = frameOf(null, null, 0);
  #generation = 0;
  #placeCount = 0;
  #transitionCount = 0;
  #work = 0;

  constructor(grammar: GrammarNode) {
    this.#grammar = grammar;
    this.#start = this.#begin();
  }

  get start(): GrammarState {
    return this.#start;
  }

  /** Memory that the states take, about; masks not counted. */
  get bytes(): number {
    return this.#states.size * STATE_BYTES + this.#transitionCount * TRANSITIONS_BYTES;
  }

  /** Forgets all states. Those that are still in use have to be taken over with `adopt`. */
  forget(): void {
    this.#states.clear();
    this.#transitionCount = 0;
    this.#root = frameOf(null, null, 0);
    this.#generation += 1;
    this.#start = this.#begin();
  }

  /** The state itself, or, when it was forgotten, the same one of this generation. */
  adopt(state: GrammarState): GrammarState {
    return state.generation === this.#generation ? state : this.#rebuild(state, (_, count) => count);
  }

  /**
   * A state behind which the same texts of up to `length` characters may come: where the bounds of a repeat are farther
   * away than that, how many there have been makes no difference.
   */
  representative(state: GrammarState, length: number): GrammarState {
    const isCounted = state.places.some(({ frame }) => {
      for (let each: Frame | null = frame; each !== null; each = each.parent) if (each.count > 0) return true;
      return false;
    });
    if (!isCounted) return state;
    return this.#rebuild(state, (node, count) => {
      if (node.kind === 'counted') return count + length + node.margin < node.most ? 1 : count;
      const { least, most } = node;
      if (count + length < least) return 1;
      return count >= least && count + length < most ? Math.max(least, 1) : count;
    });
  }

  #rebuild(state: GrammarState, countOf: (node: CountingNode, count: number) => number): GrammarState {
    const places = state.places.map(({ node, frame }) => {
      const open: Frame[] = [];
      for (let each = frame; each.parent !== null; each = each.parent) open.push(each);
      const rebuilt = open.reduceRight(
        (parent, { next, count }) =>
          frameOf(next, parent, isCounting(next) && count > 0 ? countOf(next, count) : count),
        this.#root,
      );
      return this.#placeOf(node, rebuilt);
    });
    return this.#intern(places, state.accepting);
  }

  /** Work from here on is counted from `done` on; see `step`. */
  startWork(done = 0): void {
    this.#work = done;
  }

  /** What has been looked at since `startWork`, and what was done before that. */
  get work(): number {
    return this.#work;
  }

  /**
   * The state behind `byte`; null where it may not be written.
   * @throws GrammarWorkError when more than a mask may cost has been looked at since `startWork`
   */
  step(state: GrammarState, byte: number): GrammarState | null {
    const known = state.transitions[byte];
    if (known !== undefined) return known;
    const targets: Place[] = [];
    for (const { node, frame } of state.places) {
      if (node.kind !== 'bytes') continue;
      this.#work += node.edges.length;
      for (const { range, target } of node.edges) {
        if (range[0] <= byte && byte <= range[1]) targets.push(this.#placeOf(target, frame));
      }
    }
    const next = targets.length === 0 ? null : this.#close(targets);
    if (state.transitions === UNKNOWN) {
      state.transitions = UNKNOWN.slice();
      this.#transitionCount += 1;
    }
    (state.transitions as (GrammarState | null)[])[byte] = next;
    if (this.#work > MAX_WORK) throw new GrammarWorkError();
    return next;
  }

  /** The bytes that may come next where they are no more than `most`, in any order; null where they are more, or the text may end. */
  nextBytes(state: GrammarState, most: number): readonly number[] | null {
    if (state.accepting) return null;
    const found: number[] = [];
    for (const { node } of state.places) {
      if (node.kind !== 'bytes') continue;
      for (const {
        range: [first, last],
      } of node.edges) {
        if (last - first >= most) return null;
        for (let byte = first; byte <= last; byte++) if (!found.includes(byte) && found.push(byte) > most) return null;
      }
    }
    return found;
  }

  #begin(): GrammarState {
    const state = this.#close([this.#placeOf(this.#grammar, this.#root)]);
    if (state === null) throw new Error('a grammar without any text');
    return state;
  }

  /** The state of everything that can be reached from the places without writing. */
  #close(open: Place[]): GrammarState | null {
    const seen = new Set(open);
    const places: Place[] = [];
    let accepting = false;
    const reach = (node: GrammarNode, frame: Frame): void => {
      const place = this.#placeOf(node, frame);
      if (seen.has(place) || seen.size > 16 * MAX_PLACES) return;
      seen.add(place);
      open.push(place);
    };
    const enter = (rule: GrammarNode, next: GrammarNode, frame: Frame): void => {
      if (goesRound(frame, next)) reach(rule, frame);
      else if (frame.depth < MAX_FRAMES) reach(rule, frameOf(next, frame, 0));
    };
    const repeat = (node: RepeatNode, frame: Frame, count: number): void => {
      if (count >= node.least) reach(node.next, frame);
      if (count < node.most) reach(node.body, frameOf(node, frame, count + 1));
    };
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      const { node, frame } = place;
      if (node.kind === 'bytes') {
        if (places.length < MAX_PLACES) places.push(place);
      } else if (node.kind === 'split') {
        for (const target of node.targets) reach(target, frame);
      } else if (node.kind === 'call') {
        // A rule that is called last returns to where this one does.
        if (node.next.kind === 'return') reach(node.rule, frame);
        else enter(node.rule, node.next, frame);
      } else if (node.kind === 'loop') {
        // A loop that ends inside of itself is that loop.
        if (goesRound(frame, node)) reach(node, frame.parent ?? frame);
        else {
          reach(node.next, frame);
          enter(node.body, node, frame);
        }
      } else if (node.kind === 'shallow') {
        if (frame.depth < SHALLOW_FRAMES) reach(node.target, frame);
      } else if (node.kind === 'repeat') {
        repeat(node, frame, 0);
      } else if (node.kind === 'counted') {
        reach(node.body, frameOf(node, frame, 0));
      } else if (node.kind === 'tick') {
        const { next, parent, count } = frame;
        if (next?.kind === 'counted' && count + 1 + node.needed <= next.most) {
          reach(node.target, frameOf(next, parent, count + 1));
        }
      } else if (frame.parent === null || frame.next === null) {
        accepting = true;
      } else if (frame.next.kind === 'repeat' && frame.count > 0) {
        repeat(frame.next, frame.parent, frame.count);
      } else if (frame.next.kind === 'counted') {
        reach(frame.next.next, frame.parent);
      } else {
        reach(frame.next, frame.parent);
      }
    }
    this.#work += seen.size;
    return places.length === 0 && !accepting ? null : this.#intern(places, accepting);
  }

  #intern(places: Place[], accepting: boolean): GrammarState {
    places.sort((a, b) => a.id - b.id);
    const key = `${accepting}${places.map(({ id }) => id).join(',')}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const state: GrammarState = {
      accepting,
      places,
      transitions: UNKNOWN,
      generation: this.#generation,
      allowed: null,
      walk: null,
    };
    this.#states.set(key, state);
    return state;
  }

  #placeOf(node: GrammarNode, frame: Frame): Place {
    let place = frame.places.get(node);
    if (place === undefined) {
      place = { id: this.#placeCount++, node, frame };
      frame.places.set(node, place);
    }
    return place;
  }
}

function frameOf(next: GrammarNode | null, parent: Frame | null, count: number): Frame {
  const siblings = next === null ? undefined : parent?.inner.get(next);
  const known = siblings?.get(count);
  if (known !== undefined) return known;
  const frame: Frame = { next, count, parent, depth: (parent?.depth ?? 0) + 1, inner: new Map(), places: new Map() };
  if (siblings !== undefined) siblings.set(count, frame);
  else if (next !== null) parent?.inner.set(next, new Map([[count, frame]]));
  return frame;
}

/**
 * Whether going on at `next` and then where the frame says is what the frame says alone: it goes on at a loop behind which nothing
 * else comes, and that loop again. Texts of rules that begin and end with themselves (`sum: sum "+" sum`) would be followed with a frame
 * for each of their parts otherwise.
 */
function goesRound(frame: Frame, next: GrammarNode): boolean {
  return next.kind === 'loop' && next.next.kind === 'return' && frame.next === next && frame.count === 0;
}

function isCounting(node: GrammarNode | null): node is CountingNode {
  return node?.kind === 'repeat' || node?.kind === 'counted';
}
