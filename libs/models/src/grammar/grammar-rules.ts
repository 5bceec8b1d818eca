import { type GrammarNode, RETURN } from './grammar-node.ts';
import type { Automaton } from './regular/automaton.ts';
import { type ByteTree, byteTree } from './regular/byte-tree.ts';
import type { CharacterSet } from './regular/character-set.ts';
import { type ByteRange, utf8Ranges } from './regular/utf8-ranges.ts';

/** So many ranges of characters weigh as much as a state. */
const RANGES_OF_A_STATE = 8;

/** What a rule of a context-free grammar stands for. */
export type Expression =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'automaton'; readonly automaton: Automaton; readonly spell: Spell; readonly most: number | null }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[] }
  | { readonly kind: 'choice'; readonly parts: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly part: Expression; readonly least: number; readonly most: number }
  | { readonly kind: 'loop'; readonly part: Expression }
  | { readonly kind: 'shallow'; readonly part: Expression }
  | { readonly kind: 'rule'; readonly rule: GrammarRule };

/** A named part of a grammar; `expression` is null until it is defined. */
export interface GrammarRule {
  expression: Expression | null;
}

/** How the characters of a set are written: sequences of byte ranges, one for each way. */
export type Spell = (set: CharacterSet) => readonly (readonly ByteRange[])[];

export const text = (value: string): Expression => ({ kind: 'text', text: value });
export const sequence = (...parts: Expression[]): Expression => ({ kind: 'sequence', parts });
export const choice = (...parts: Expression[]): Expression =>
  parts.length === 1 ? parts[0] : { kind: 'choice', parts };
export const optional = (part: Expression): Expression => choice(part, text(''));
/** The part `least` to `most` times, at the cost of one: the repeats are counted, not written out. */
export const repeat = (part: Expression, least: number, most: number): Expression => ({
  kind: 'repeat',
  part,
  least,
  most,
});
/** The part any number of times, also none. */
export const loop = (part: Expression): Expression => ({ kind: 'loop', part });
/** The part, except where a document is nested very deep already. Something else has to be allowed beside it. */
export const shallow = (part: Expression): Expression => ({ kind: 'shallow', part });

/** The rules of a grammar under construction. */
export class GrammarRules {
  readonly #rules: GrammarRule[] = [];
  #states = 0;

  /** Rules, states of automata and large sets of characters, as a measure of its size. */
  get size(): number {
    return this.#rules.length + this.#states;
  }

  /** Reserves a rule, so that rules can refer to each other before they are defined. */
  reserve(): GrammarRule {
    const rule: GrammarRule = { expression: null };
    this.#rules.push(rule);
    return rule;
  }

  define(rule: GrammarRule, expression: Expression): Expression {
    rule.expression = expression;
    return { kind: 'rule', rule };
  }

  add(expression: Expression): Expression {
    return this.define(this.reserve(), expression);
  }

  /**
   * Text that the automaton takes, its characters written as `spell` says; as they are without it.
   * @param most characters; null for no limit
   */
  addText(automaton: Automaton, spell: Spell = utf8Ranges, most: number | null = null): Expression {
    this.#states += automaton.reduce((sum, { edges }) => sum + edges.reduce(addWeight, 1), 0);
    return this.add({ kind: 'automaton', automaton, spell, most });
  }

  /** Part, then the separator and another part, and so on; `least` parts at least, `most` at most. */
  list(part: Expression, separator: Expression, least: number, most: number | null): Expression {
    const shared = this.add(part);
    const next = this.add(sequence(separator, shared));
    const missing = Math.max(0, least - 1);
    const some = [shared];
    if (most === null) {
      const rule = this.reserve();
      if (missing > 0) some.push(repeat(next, missing, missing));
      some.push(this.define(rule, optional(sequence(next, { kind: 'rule', rule }))));
    } else if (most > 1) some.push(repeat(next, missing, most - 1));
    return least === 0 ? optional(sequence(...some)) : sequence(...some);
  }

  /** Whether some finite text fits the expression. */
  isProductive(expression: Expression): boolean {
    return canEnd(expression, this.#productive());
  }

  /** The grammar's first node; alternatives that could never end are left out. */
  compile(root: Expression): GrammarNode {
    return new NodeCompiler(this.#productive()).whole(root);
  }

  #productive(): Set<GrammarRule> {
    const productive = new Set<GrammarRule>();
    for (let size = -1; size !== productive.size; ) {
      size = productive.size;
      for (const rule of this.#rules) {
        if (!productive.has(rule) && canEnd({ kind: 'rule', rule }, productive, true)) productive.add(rule);
      }
    }
    return productive;
  }
}

/** A set of hundreds of ranges makes as many nodes in each state that reads it; about 100 bytes for each range. */
function addWeight(sum: number, { set }: Automaton[number]['edges'][number]): number {
  return sum + Math.floor(set.length / (2 * RANGES_OF_A_STATE));
}

function canEnd(expression: Expression, productive: ReadonlySet<GrammarRule>, opened = false): boolean {
  switch (expression.kind) {
    case 'text':
      return true;
    case 'automaton':
      return (
        expression.automaton.length > 0 && (distances(expression.automaton)[0] ?? 0) <= (expression.most ?? Infinity)
      );
    case 'sequence':
      return expression.parts.every((part) => canEnd(part, productive));
    case 'choice':
      return expression.parts.some((part) => canEnd(part, productive));
    case 'repeat':
      return expression.least === 0 || canEnd(expression.part, productive);
    case 'loop':
      return true;
    case 'shallow':
      return canEnd(expression.part, productive);
    case 'rule': {
      if (productive.has(expression.rule)) return true;
      const inner = expression.rule.expression;
      return opened && inner !== null && canEnd(inner, productive);
    }
  }
}

/**
 * Turns expressions into nodes, from their ends to their beginnings. What is written alike and followed by the same is one node: a text
 * is followed through it once.
 */
class NodeCompiler {
  readonly #productive: ReadonlySet<GrammarRule>;
  readonly #entries = new Map<GrammarRule, GrammarNode>();
  /** Rules that were referred to: they refer to each other in chains that may be thousands long. */
  readonly #open: { readonly expression: Expression; readonly targets: GrammarNode[] }[] = [];
  readonly #numbers = new Map<GrammarNode, number>();
  readonly #nodes = new Map<string, GrammarNode>();
  /** By what follows them. */
  readonly #automata = new Map<Automaton, Map<GrammarNode, GrammarNode>>();

  constructor(productive: ReadonlySet<GrammarRule>) {
    this.#productive = productive;
  }

  whole(root: Expression): GrammarNode {
    const start = this.compile(root, RETURN);
    for (let rule = this.#open.pop(); rule !== undefined; rule = this.#open.pop())
      rule.targets.push(this.compile(rule.expression, RETURN));
    return start;
  }

  compile(expression: Expression, next: GrammarNode): GrammarNode {
    switch (expression.kind) {
      case 'text':
        return Buffer.from(expression.text).reduceRight<GrammarNode>((target, byte) => this.#byte(byte, target), next);
      case 'sequence':
        return expression.parts.reduceRight((target, part) => this.compile(part, target), next);
      case 'choice': {
        const usable = expression.parts.filter((part) => canEnd(part, this.#productive));
        return this.#split([...new Set(usable.map((part) => this.compile(part, next)))]);
      }
      case 'repeat': {
        const { part, least, most } = expression;
        if (!canEnd(part, this.#productive)) return next;
        return { kind: 'repeat', body: this.compile(part, RETURN), least, most, next };
      }
      case 'loop':
        if (!canEnd(expression.part, this.#productive)) return next;
        return this.#loop(this.compile(expression.part, RETURN), next);
      case 'shallow':
        return { kind: 'shallow', target: this.compile(expression.part, next) };
      case 'rule':
        return this.#call(this.#entry(expression.rule), next);
      case 'automaton':
        return this.#automaton(expression, next);
    }
  }

  #entry(rule: GrammarRule): GrammarNode {
    const known = this.#entries.get(rule);
    if (known !== undefined) return known;
    const targets: GrammarNode[] = [];
    const entry: GrammarNode = { kind: 'split', targets };
    this.#entries.set(rule, entry);
    if (rule.expression !== null && this.#productive.has(rule))
      this.#open.push({ expression: rule.expression, targets });
    return entry;
  }

  #byte(byte: number, target: GrammarNode): GrammarNode {
    return this.#once(`${byte}`, [target], () => ({ kind: 'bytes', edges: [{ range: [byte, byte], target }] }));
  }

  #split(targets: GrammarNode[]): GrammarNode {
    const [only] = targets;
    if (only !== undefined && targets.length === 1) return only;
    return this.#once('split', targets, () => ({ kind: 'split', targets }));
  }

  #loop(body: GrammarNode, next: GrammarNode): GrammarNode {
    return this.#once('loop', [body, next], () => ({ kind: 'loop', body, next }));
  }

  #call(rule: GrammarNode, next: GrammarNode): GrammarNode {
    return this.#once('call', [rule, next], () => ({ kind: 'call', rule, next }));
  }

  #automaton({ automaton, spell, most }: Expression & { kind: 'automaton' }, next: GrammarNode): GrammarNode {
    // With a limit, or in another spelling, an automaton stands in one place.
    if (most !== null || spell !== utf8Ranges) return automatonNode(automaton, spell, most, next);
    const byNext = this.#automata.get(automaton) ?? new Map<GrammarNode, GrammarNode>();
    this.#automata.set(automaton, byNext);
    const node = byNext.get(next) ?? automatonNode(automaton, spell, most, next);
    byNext.set(next, node);
    return node;
  }

  /** The node of this kind with these others behind it. */
  #once(kind: string, others: readonly GrammarNode[], make: () => GrammarNode): GrammarNode {
    const key = `${kind}:${others.map((node) => this.#numberOf(node)).join()}`;
    const node = this.#nodes.get(key) ?? make();
    this.#nodes.set(key, node);
    return node;
  }

  #numberOf(node: GrammarNode): number {
    const number = this.#numbers.get(node) ?? this.#numbers.size;
    this.#numbers.set(node, number);
    return number;
  }
}

function automatonNode(automaton: Automaton, spell: Spell, most: number | null, next: GrammarNode): GrammarNode {
  const needed = most === null ? [] : distances(automaton);
  const end = most === null ? next : RETURN;
  const targets = automaton.map((): GrammarNode[] => []);
  const nodes = targets.map((inner): GrammarNode => ({ kind: 'split', targets: inner }));
  /** States of one pattern mostly read the same few sets. */
  const trees = new Map<CharacterSet, ByteTree>();
  const treeOf = (set: CharacterSet): ByteTree => {
    const tree = trees.get(set) ?? byteTree(spell(set));
    trees.set(set, tree);
    return tree;
  };
  /** By where a character leads, nodes of what may be left of its bytes. */
  const made = nodes.map(() => new Map<ByteTree, GrammarNode>());
  const nodeOf = (tree: ByteTree | null, state: number): GrammarNode => {
    if (tree === null) return nodes[state];
    let node = made[state].get(tree);
    if (node === undefined) {
      node = { kind: 'bytes', edges: tree.edges.map(({ range, rest }) => ({ range, target: nodeOf(rest, state) })) };
      made[state].set(tree, node);
    }
    return node;
  };
  for (const [state, { accepting, edges }] of automaton.entries()) {
    if (accepting) targets[state].push(end);
    for (const { set, target } of edges) {
      const tree = treeOf(set);
      if (tree.edges.length === 0) continue;
      const node = nodeOf(tree, target);
      targets[state].push(most === null ? node : { kind: 'tick', needed: needed[target], target: node });
    }
  }
  return most === null ? nodes[0] : { kind: 'counted', body: nodes[0], most, margin: Math.max(...needed), next };
}

/** Of each state: the fewest characters that lead to an accepting one. */
function distances(automaton: Automaton): number[] {
  const sources = automaton.map((): number[] => []);
  for (const [state, { edges }] of automaton.entries()) for (const { target } of edges) sources[target].push(state);
  const found = automaton.map(({ accepting }) => (accepting ? 0 : Number.POSITIVE_INFINITY));
  const open = automaton.flatMap(({ accepting }, state) => (accepting ? [state] : []));
  for (const state of open) {
    for (const source of sources[state]) {
      if (found[source] !== Number.POSITIVE_INFINITY) continue;
      found[source] = found[state] + 1;
      open.push(source);
    }
  }
  return found;
}
