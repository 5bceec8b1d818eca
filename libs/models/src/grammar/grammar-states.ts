import type { GrammarNode } from './grammar-node.ts';
import { GrammarWorkError } from './grammar-work-error.ts';
import type { MaskWalk } from './mask-walk.ts';
import { type Frame, type Stack, Stacks } from './stacks.ts';
import { Ways } from './ways.ts';

/** Most places that a text can be in at the same time; further ones are given up, which only narrows the grammar. */
const MAX_PLACES = 1_024;
/** Most rules that are open at the same time: the nesting of a document. */
const MAX_FRAMES = 1_024;
/** Open rules beyond which a document of any shape is nested no deeper. */
const SHALLOW_FRAMES = 64;
/** What a state takes in memory, about: by itself, and from when something behind it is known; and a stack. */
const STATE_BYTES = 256;
const TRANSITIONS_BYTES = 2_048;
const STACK_BYTES = 384;
/** Places looked at for one mask, at most: some 50 ms of work. */
const MAX_WORK = 400_000;

/** Of a state behind which nothing is known yet. */
const UNKNOWN: (GrammarState | null | undefined)[] = new Array(256).fill(undefined);

type RepeatNode = Extract<GrammarNode, { kind: 'repeat' }>;
type CountingNode = Extract<GrammarNode, { kind: 'repeat' | 'counted' }>;

/** A node and the rules that are open there. */
interface Place {
  readonly id: number;
  readonly node: GrammarNode;
  readonly stack: Stack;
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
 * The states of a grammar, found as texts reach them. A state is a set of places, each with its stack of open rules,
 * so alternatives that begin alike are followed together; states and stacks are interned, so what one text has found
 * others find again. This is the subset construction of a pushdown automaton, made lazily.
 */
export class GrammarStates {
  readonly #grammar: GrammarNode;
  readonly #states = new Map<string, GrammarState>();
  #start: GrammarState;
  #stacks = new Stacks();
  #places = new Map<Stack, Map<GrammarNode, Place>>();
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
    const { count } = this.#stacks;
    return this.#states.size * STATE_BYTES + this.#transitionCount * TRANSITIONS_BYTES + count * STACK_BYTES;
  }

  /** Forgets all states. Those that are still in use have to be taken over with `adopt`. */
  forget(): void {
    this.#states.clear();
    this.#transitionCount = 0;
    this.#stacks = new Stacks();
    this.#places = new Map();
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
    if (!state.places.some(({ stack }) => stack.isCounted)) return state;
    return this.#rebuild(state, (node, count) => {
      if (node.kind === 'counted') return count + length + node.margin < node.most ? 1 : count;
      const { least, most } = node;
      if (count + length < least) return 1;
      return count >= least && count + length < most ? Math.max(least, 1) : count;
    });
  }

  /** The state with other counts, its stacks made anew. */
  #rebuild(state: GrammarState, countOf: (node: CountingNode, count: number) => number): GrammarState {
    const stacks = this.#stacks;
    const made = new Map<Stack, Stack>();
    const again = (stack: Stack): Stack => {
      const known = made.get(stack);
      if (known !== undefined) return known;
      const each = stack.frames.map(({ next, count, below }) =>
        stacks.pushed(next, again(below), isCounting(next) && count > 0 ? countOf(next, count) : count),
      );
      const [first = stacks.bottom, ...others] = stack.isBottom ? [stacks.bottom, ...each] : each;
      const ways = new Ways(stacks, first);
      for (const other of others) ways.add(other);
      const rebuilt = ways.all;
      made.set(stack, rebuilt);
      return rebuilt;
    };
    const places = state.places.map(({ node, stack }) => this.#placeOf(node, again(stack)));
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
    const targets: [GrammarNode, Stack][] = [];
    for (const { node, stack } of state.places) {
      if (node.kind !== 'bytes') continue;
      this.#work += node.edges.length;
      for (const { range, target } of node.edges) {
        if (range[0] <= byte && byte <= range[1]) targets.push([target, stack]);
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
    const state = this.#close([[this.#grammar, this.#stacks.bottom]]);
    if (state === null)
      throw new Error(`each text needs more than ${MAX_FRAMES} rules open at a time; make it flatter`);
    return state;
  }

  /**
   * The state of everything that can be reached from the nodes without writing. Where a node is reached again, what is new of its stack is
   * gone on with: the texts behind several ways are those behind each of them.
   */
  #close(targets: readonly (readonly [GrammarNode, Stack])[]): GrammarState | null {
    const stacks = this.#stacks;
    const before = stacks.work;
    const reached = new Map<GrammarNode, Ways>();
    /** Nodes to go on from, in the order in which they were reached. */
    const open: { readonly node: GrammarNode; readonly ways: Ways }[] = [];
    let accepting = false;
    let steps = 0;
    const reach = (node: GrammarNode, stack: Stack): void => {
      if (steps > 16 * MAX_PLACES) return;
      let ways = reached.get(node);
      if (ways === undefined) {
        ways = new Ways(stacks, stack);
        reached.set(node, ways);
      } else if (!ways.add(stack)) return;
      steps += 1;
      // Where a byte has to be written, nothing is gone on from.
      if (node.kind === 'bytes' || ways.isWaiting) return;
      ways.isWaiting = true;
      open.push({ node, ways });
    };
    const repeat = (node: RepeatNode, stack: Stack, count: number): void => {
      if (count >= node.least) reach(node.next, stack);
      if (count < node.most) reach(node.body, stacks.pushed(node, stack, count + 1));
    };
    const goOn = ({ next, count, below }: Frame): void => {
      if (next.kind === 'repeat' && count > 0) repeat(next, below, count);
      else if (next.kind === 'counted') reach(next.next, below);
      else reach(next, below);
    };
    stacks.forgetUnions();
    for (const [node, stack] of targets) reach(node, stack);
    // Those that are added meanwhile come last.
    for (const { node, ways } of open) {
      const stack = ways.take();
      ways.isWaiting = false;
      switch (node.kind) {
        case 'split':
          for (const target of node.targets) reach(target, stack);
          break;
        case 'call':
          // A rule that is called last returns to where this one does.
          if (node.next.kind === 'return') reach(node.rule, stack);
          else if (stack.depth < MAX_FRAMES)
            reach(node.rule, stacks.pushed(node.next, stacks.behind(node.next, stack)));
          break;
        case 'loop': {
          const around = stacks.behind(node, stack);
          reach(node.next, around);
          if (around.depth < MAX_FRAMES) reach(node.body, stacks.pushed(node, around));
          break;
        }
        case 'shallow':
          if (stack.depth < SHALLOW_FRAMES) reach(node.target, stack);
          break;
        case 'repeat':
          repeat(node, stack, 0);
          break;
        case 'counted':
          reach(node.body, stacks.pushed(node, stack));
          break;
        case 'tick':
          for (const { next, count, below } of stack.frames) {
            if (next.kind === 'counted' && count + 1 + node.needed <= next.most)
              reach(node.target, stacks.pushed(next, below, count + 1));
          }
          break;
        case 'return':
          accepting ||= stack.isBottom;
          for (const frame of stack.frames) goOn(frame);
          break;
      }
    }
    this.#work += steps + stacks.work - before;
    const places: Place[] = [];
    for (const [node, ways] of reached) {
      if (node.kind === 'bytes' && places.length < MAX_PLACES) places.push(this.#placeOf(node, ways.all));
    }
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

  #placeOf(node: GrammarNode, stack: Stack): Place {
    let byNode = this.#places.get(stack);
    if (byNode === undefined) {
      byNode = new Map();
      this.#places.set(stack, byNode);
    }
    let place = byNode.get(node);
    if (place === undefined) {
      place = { id: this.#placeCount++, node, stack };
      byNode.set(node, place);
    }
    return place;
  }
}

function isCounting(node: GrammarNode): node is CountingNode {
  return node.kind === 'repeat' || node.kind === 'counted';
}
