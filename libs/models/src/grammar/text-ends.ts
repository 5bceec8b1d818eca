import type { Expression, GrammarRule } from './grammar-rules.ts';
import { knownOrMade } from './known-or-made.ts';
import type { AutomatonProducts } from './regular/automaton-product.ts';

const NONE: ReadonlySet<number> = new Set();

/** Where the texts of a rule lead that begin in one state, and who has looked at it. */
interface RuleEnds {
  readonly rule: GrammarRule;
  readonly from: number;
  readonly found: Set<number>;
  readonly readers: Set<RuleEnds>;
}

/** To which states of an automaton the texts of a grammar's parts lead. */
export class TextEnds {
  readonly #products: AutomatonProducts;
  readonly #rules = new Map<GrammarRule, Map<number, RuleEnds>>();
  /** Whose ends are to be looked at again. */
  readonly #unsettled = new Set<RuleEnds>();
  /** Whose ends are looked at now. */
  #reader: RuleEnds | null = null;

  constructor(products: AutomatonProducts) {
    this.#products = products;
  }

  /** All of them, or more where repeats are counted. What rules refer to is looked at again until nothing is added any more. */
  of(expression: Expression, from: number): ReadonlySet<number> {
    for (;;) {
      const found = this.#known(expression, from);
      if (this.#unsettled.size === 0) return found;
      // A Set gives those that are added meanwhile, too.
      for (const ends of this.#unsettled) {
        this.#unsettled.delete(ends);
        this.#reader = ends;
        const { size } = ends.found;
        const { expression: inner } = ends.rule;
        for (const end of inner === null ? NONE : this.#known(inner, ends.from)) ends.found.add(end);
        if (ends.found.size > size) for (const reader of ends.readers) this.#unsettled.add(reader);
      }
      this.#reader = null;
    }
  }

  /** As far as it is known of the rules. */
  #known(expression: Expression, from: number): ReadonlySet<number> {
    switch (expression.kind) {
      case 'text': {
        const end = this.#products.behind(expression.text, from);
        return end === null ? NONE : new Set([end]);
      }
      case 'automaton':
        return this.#products.ends(expression.automaton, from);
      case 'sequence': {
        let states: ReadonlySet<number> = new Set([from]);
        for (const part of expression.parts) states = union(Array.from(states, (state) => this.#known(part, state)));
        return states;
      }
      case 'choice':
        return union(expression.parts.map((part) => this.#known(part, from)));
      case 'shallow':
        return this.#known(expression.part, from);
      case 'loop':
        return this.#ofRepeats(expression.part, from, 0);
      case 'repeat':
        return this.#ofRepeats(expression.part, from, expression.least);
      case 'rule':
        return this.#ofRule(expression.rule, from);
    }
  }

  #ofRepeats(part: Expression, from: number, least: number): ReadonlySet<number> {
    const reached = new Set([from]);
    const ends = new Set(least === 0 ? [from] : []);
    for (const state of reached) {
      for (const end of this.#known(part, state)) {
        reached.add(end);
        ends.add(end);
      }
    }
    return ends;
  }

  #ofRule(rule: GrammarRule, from: number): ReadonlySet<number> {
    const byState = knownOrMade(this.#rules, rule, () => new Map<number, RuleEnds>());
    const ends = knownOrMade(byState, from, () => {
      const made: RuleEnds = { rule, from, found: new Set(), readers: new Set() };
      this.#unsettled.add(made);
      return made;
    });
    if (this.#reader !== null) ends.readers.add(this.#reader);
    return ends.found;
  }
}

function union(sets: readonly ReadonlySet<number>[]): ReadonlySet<number> {
  const [only] = sets;
  return sets.length === 1 && only !== undefined ? only : new Set(sets.flatMap((set) => Array.from(set)));
}
