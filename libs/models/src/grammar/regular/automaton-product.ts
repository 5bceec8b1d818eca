import { knownOrMade } from '../known-or-made.ts';
import { type Automaton, type AutomatonState, withoutDeadEnds } from './automaton.ts';
import { type CharacterSet, contains, intersection } from './character-set.ts';

/** All that two automata take, the second one from some state on; `end` is that one's state. */
interface Product {
  readonly states: readonly (AutomatonState & { readonly end: number })[];
  readonly ends: ReadonlySet<number>;
}

/** The texts of automata that another one, `within`, takes, too, by the states between which they lead there. */
export class AutomatonProducts {
  readonly #within: Automaton;
  readonly #onState: () => void;
  readonly #products = new Map<Automaton, Map<number, Product>>();

  /** @param onState is called for each state of a product; it may throw to end that */
  constructor(within: Automaton, onState: () => void) {
    this.#within = within;
    this.#onState = onState;
  }

  /** The states to which the automaton's texts lead from one. */
  ends(automaton: Automaton, from: number): ReadonlySet<number> {
    return this.#of(automaton, from).ends;
  }

  /** Those of its texts that lead from one state to the other; empty where none do. */
  between(automaton: Automaton, from: number, to: number): Automaton {
    const { states } = this.#of(automaton, from);
    return withoutDeadEnds(states.map(({ accepting, end, edges }) => ({ accepting: accepting && end === to, edges })));
  }

  /** The state to which a text leads; null where it is not taken. */
  behind(written: string, from: number): number | null {
    let state = from;
    for (const character of written) {
      const codePoint = character.codePointAt(0) ?? 0;
      const edge = this.#within[state].edges.find(({ set }) => contains(set, codePoint));
      if (edge === undefined) return null;
      state = edge.target;
    }
    return state;
  }

  #of(automaton: Automaton, from: number): Product {
    const byState = knownOrMade(this.#products, automaton, () => new Map<number, Product>());
    return knownOrMade(byState, from, () => this.#product(automaton, from));
  }

  #product(automaton: Automaton, from: number): Product {
    const numbers = new Map([[from, 0]]);
    const pairs = [{ state: 0, end: from }];
    const numberOf = (state: number, end: number): number =>
      knownOrMade(numbers, state * this.#within.length + end, () => pairs.push({ state, end }) - 1);
    const states: Product['states'][number][] = [];
    // An array gives those that are added meanwhile, too.
    for (const { state, end } of pairs) {
      this.#onState();
      const edges = automaton[state].edges.flatMap(({ set, target }) =>
        this.#within[end].edges.flatMap((other) => {
          const both = overlap(set, other.set);
          return both.length === 0 ? [] : [{ set: both, target: numberOf(target, other.target) }];
        }),
      );
      states.push({ accepting: automaton[state].accepting, end, edges });
    }
    return { states, ends: new Set(states.flatMap(({ accepting, end }) => (accepting ? [end] : []))) };
  }
}

function overlap(one: CharacterSet, other: CharacterSet): CharacterSet {
  const [first, last] = one;
  if (one.length === 2 && first === last) return contains(other, first) ? one : [];
  return intersection(one, other);
}
