import { choice, type Expression, type GrammarRules, loop, sequence, text } from './grammar-rules.ts';
import { knownOrMade } from './known-or-made.ts';
import type { Automaton } from './regular/automaton.ts';
import { AutomatonProducts } from './regular/automaton-product.ts';
import { TextEnds } from './text-ends.ts';
import { TooManyStatesError } from './too-many-states-error.ts';

const NOTHING: Expression = { kind: 'choice', parts: [] };
const EMPTY = text('');

type Repeat = Extract<Expression, { kind: 'repeat' }>;

/**
 * The texts of a grammar that an automaton takes, too, as a grammar: of each part its texts that lead from one state of the automaton to
 * another (Bar-Hillel, Perles and Shamir 1961), made for the pairs of states that occur. Where the automaton forbids a mark, that is mostly
 * the one in which nothing of the mark stands before.
 */
export class TextsWithin {
  readonly #rules: GrammarRules;
  readonly #within: Automaton;
  readonly #most: number;
  readonly #products: AutomatonProducts;
  readonly #ends: TextEnds;
  /** By a part, and the states. */
  readonly #made = new Map<object, Map<string, Expression>>();
  /** Rules that were referred to and are still to be defined: they refer to each other in chains that may be thousands long. */
  readonly #open: (() => void)[] = [];
  #size = 0;

  /** @param most rules, alternatives and states that are made */
  constructor(rules: GrammarRules, within: Automaton, most: number) {
    this.#rules = rules;
    this.#within = within;
    this.#most = most;
    this.#products = new AutomatonProducts(within, () => this.#count(1));
    this.#ends = new TextEnds(this.#products);
  }

  /** @throws TooManyStatesError */
  of(expression: Expression): Expression {
    const accepting = [...this.#ends.of(expression, 0)].filter((state) => this.#within[state].accepting);
    const found = accepting.map((state) => this.#part(expression, 0, state));
    for (let define = this.#open.pop(); define !== undefined; define = this.#open.pop()) define();
    return choice(...found);
  }

  /** The texts of a part that lead from one state to the other. */
  #part(expression: Expression, from: number, to: number): Expression {
    switch (expression.kind) {
      case 'text':
        return this.#products.behind(expression.text, from) === to ? expression : NOTHING;
      case 'automaton':
        return this.#once(expression.automaton, `${from} ${to}`, () => {
          const automaton = this.#products.between(expression.automaton, from, to);
          this.#count(automaton.length);
          return automaton.length === 0 ? NOTHING : { ...expression, automaton };
        });
      case 'choice':
        return choice(...expression.parts.map((part) => this.#part(part, from, to)).filter((part) => part !== NOTHING));
      case 'sequence':
        return this.#rest(expression.parts, 0, from, to);
      case 'shallow':
        return { ...expression, part: this.#part(expression.part, from, to) };
      case 'loop':
        return this.#loop(expression.part, from, to);
      case 'repeat':
        return this.#repeat(expression, from, to);
      case 'rule': {
        const { rule } = expression;
        if (!this.#ends.of(expression, from).has(to)) return NOTHING;
        return this.#once(rule, `${from} ${to}`, () =>
          this.#later(() => (rule.expression === null ? NOTHING : this.#part(rule.expression, from, to))),
        );
      }
    }
  }

  /** Of a sequence, from the part at `place` on. */
  #rest(parts: readonly Expression[], place: number, from: number, to: number): Expression {
    const part = parts[place];
    if (part === undefined) return from === to ? EMPTY : NOTHING;
    const between = [...this.#ends.of(part, from)].filter((state) => this.#canLead(parts, place + 1, state, to));
    const [only] = between;
    if (only === undefined) return NOTHING;
    if (between.length === 1) return sequence(this.#part(part, from, only), this.#rest(parts, place + 1, only, to));
    this.#count(between.length);
    const restOf = (state: number): Expression =>
      this.#once(parts, `${place + 1} ${state} ${to}`, () =>
        this.#later(() => this.#rest(parts, place + 1, state, to)),
      );
    return choice(...between.map((state) => sequence(this.#part(part, from, state), restOf(state))));
  }

  #canLead(parts: readonly Expression[], place: number, from: number, to: number): boolean {
    if (place >= parts.length) return from === to;
    return this.#ends.of({ kind: 'sequence', parts: parts.slice(place) }, from).has(to);
  }

  #loop(part: Expression, from: number, to: number): Expression {
    const ends = [...this.#ends.of(part, from)];
    if (ends.every((end) => end === from)) {
      if (from !== to) return NOTHING;
      return ends.length === 0 ? EMPTY : loop(this.#part(part, from, from));
    }
    return this.#once(part, `loop ${from} ${to}`, () => {
      this.#count(ends.length);
      const leading = ends.filter((end) => this.#ends.of({ kind: 'loop', part }, end).has(to));
      return this.#later(() =>
        choice(
          ...(from === to ? [EMPTY] : []),
          ...leading.map((end) => sequence(this.#part(part, from, end), this.#loop(part, end, to))),
        ),
      );
    });
  }

  /** Counted where the state stays the same, else written out. */
  #repeat({ part, least, most }: Repeat, from: number, to: number): Expression {
    const ends = [...this.#ends.of(part, from)];
    if (ends.every((end) => end === from)) {
      if (from !== to) return NOTHING;
      return { kind: 'repeat', part: ends.length === 0 ? NOTHING : this.#part(part, from, from), least, most };
    }
    return this.#once(part, `${least} ${most} ${from} ${to}`, () => {
      this.#count(ends.length);
      const others: Repeat = { kind: 'repeat', part, least: Math.max(0, least - 1), most: most - 1 };
      return this.#later(() =>
        choice(
          ...(least === 0 && from === to ? [EMPTY] : []),
          ...(most === 0 ? [] : ends).map((end) =>
            sequence(this.#part(part, from, end), this.#repeat(others, end, to)),
          ),
        ),
      );
    });
  }

  #once(key: object, states: string, make: () => Expression): Expression {
    const byStates = knownOrMade(this.#made, key, () => new Map<string, Expression>());
    return knownOrMade(byStates, states, make);
  }

  #later(define: () => Expression): Expression {
    this.#count(1);
    const rule = this.#rules.reserve();
    this.#open.push(() => this.#rules.define(rule, define()));
    return { kind: 'rule', rule };
  }

  #count(more: number): void {
    this.#size += more;
    if (this.#size > this.#most) throw new TooManyStatesError();
  }
}
