import type { GrammarParts } from '../grammar-parts.ts';
import { choice, type Expression, type GrammarRule, loop, optional, repeat, sequence, text } from '../grammar-rules.ts';
import { type Beginnings, followedBy, leftCorners } from './beginnings.ts';
import { weightOf } from './expression-weight.ts';
import { factored } from './factored.ts';
import { type GrammarPart, inSequence, type WrittenGrammar } from './grammar-part.ts';
import { GrammarRefusedError } from './grammar-refused-error.ts';
import { LanguageTexts } from './language-texts.ts';
import { readGrammar } from './read-grammar.ts';
import { RuleFacts } from './rule-facts.ts';

/** Rules, states and parts, as of a schema. */
const MAX_SIZE = 65_536;
const NOTHING: Expression = { kind: 'choice', parts: [] };
const EMPTY = text('');

/**
 * The texts of a grammar that is written in one of the notations.
 * @param notation null for the one that its first definition shows
 * @throws GrammarRefusedError
 */
export function grammarDocument(parts: GrammarParts, written: string, notation: 'lark' | null = null): Expression {
  try {
    return new GrammarDocument(parts, readGrammar(parts.languages, written, notation)).document();
  } catch (error) {
    // The call stack's end: repeats of repeats, or terminals of terminals, by the ten thousands.
    if (error instanceof RangeError)
      throw new GrammarRefusedError('unsupported_parameter', null, 'its parts are nested too deep. Make it simpler.');
    throw error;
  }
}

/**
 * Writes the rules of a grammar so that none can begin with itself, as a text is followed from left to right with a stack of open
 * rules. Rules that can begin with each other are a group, and all that a text of rule A in it can be is: something that begins with
 * none of them, as a text of some B in it; then what makes of a text that begins with B one of A, step by step. For
 * `sum: sum "+" product | product` that is `product ("+" product)*`. This is the left-corner transformation (Rosenkrantz and Lewis 1970;
 * Moore 2000) of the rules that need it. Rules that the empty text fits are written twice where what follows them matters: with it, and
 * without.
 */
class GrammarDocument {
  readonly #parts: GrammarParts;
  readonly #grammar: WrittenGrammar;
  readonly #facts: RuleFacts;
  readonly #whole = new Map<string, Expression>();
  readonly #some = new Map<string, Expression>();
  readonly #texts: LanguageTexts;
  readonly #beginnings = new Map<string, Beginnings>();
  /** Rules that were referred to and are still to be defined. */
  readonly #open: (() => void)[] = [];
  #size = 0;

  constructor(parts: GrammarParts, grammar: WrittenGrammar) {
    this.#parts = parts;
    this.#texts = new LanguageTexts(parts);
    this.#grammar = grammar;
    this.#facts = new RuleFacts(grammar);
  }

  document(): Expression {
    const document = this.#wholeRule(this.#grammar.start);
    for (let define = this.#open.pop(); define !== undefined; define = this.#open.pop()) define();
    return document;
  }

  #wholeRule(name: string): Expression {
    const known = this.#whole.get(name);
    if (known !== undefined) return known;
    const isNullable = this.#facts.isNullable(this.#partOf(name));
    const made =
      this.#facts.groupOf(name) === null
        ? this.#later(() => this.#wholeOf(this.#partOf(name)))
        : isNullable
          ? optional(this.#someRule(name))
          : this.#someRule(name);
    this.#whole.set(name, made);
    return made;
  }

  /** The texts of a rule but the empty one. */
  #someRule(name: string): Expression {
    const group = this.#facts.groupOf(name);
    if (group === null && !this.#facts.isNullable(this.#partOf(name))) return this.#wholeRule(name);
    const known = this.#some.get(name);
    if (known !== undefined) return known;
    const made = this.#later(() =>
      group === null ? this.#someOf(this.#partOf(name)) : this.#someOfGroup(name, group),
    );
    this.#some.set(name, made);
    return made;
  }

  #wholeOf(part: GrammarPart): Expression {
    this.#count();
    switch (part.kind) {
      case 'text':
        return text(part.text);
      case 'language':
        return this.#texts.of(part.language, part.line);
      case 'rule':
        return this.#wholeRule(part.name);
      case 'sequence':
        return sequence(...part.parts.map((each) => this.#wholeOf(each)));
      case 'choice': {
        const one = factored(part.parts);
        return one.kind === 'choice' ? choice(...one.parts.map((each) => this.#wholeOf(each))) : this.#wholeOf(one);
      }
      case 'repeat': {
        const { once, least } = this.#repeated(part);
        return this.#times(once, least, part.most);
      }
    }
  }

  /** The texts of a part but the empty one. */
  #someOf(part: GrammarPart): Expression {
    if (!this.#facts.isNullable(part)) return this.#wholeOf(part);
    this.#count();
    const { languages } = this.#parts;
    switch (part.kind) {
      case 'text':
        return NOTHING;
      case 'language': {
        const language = languages.both(part.language, languages.not(languages.empty));
        return language === languages.nothing ? NOTHING : this.#texts.of(language, part.line);
      }
      case 'rule':
        return this.#someRule(part.name);
      case 'choice':
        return choice(...part.parts.map((each) => this.#someOf(each)));
      case 'sequence': {
        const behind = this.#behind(part.parts);
        return choice(...part.parts.map((each, place) => sequence(this.#someOf(each), behind(place))));
      }
      case 'repeat': {
        if (part.most === 0) return NOTHING;
        return this.#times(this.#repeated(part).once, 1, part.most);
      }
    }
  }

  /** How the texts of a part, but the empty one, begin. */
  #begin(part: GrammarPart, group: ReadonlySet<string>): Beginnings {
    this.#count();
    if (part.kind === 'rule' && group.has(part.name)) return { seeds: [], steps: [{ rule: part.name, rest: EMPTY }] };
    switch (part.kind) {
      case 'choice': {
        const one = factored(part.parts);
        if (one.kind !== 'choice') return this.#begin(one, group);
        const each = one.parts.map((alternative) => this.#begin(alternative, group));
        return { seeds: each.flatMap(({ seeds }) => seeds), steps: each.flatMap(({ steps }) => steps) };
      }
      case 'sequence': {
        const behind = this.#behind(part.parts);
        const found: Beginnings = { seeds: [], steps: [] };
        for (const [place, each] of part.parts.entries()) {
          const { seeds, steps } = followedBy(this.#begin(each, group), behind(place));
          found.seeds.push(...seeds);
          found.steps.push(...steps);
          if (!this.#facts.isNullable(each)) break;
        }
        return found;
      }
      case 'repeat': {
        if (part.most === 0) return { seeds: [], steps: [] };
        const { once, least } = this.#repeated(part);
        const more = this.#times(once, Math.max(0, least - 1), part.most === null ? null : part.most - 1);
        return followedBy(this.#begin(part.part, group), more);
      }
      default:
        return { seeds: [this.#someOf(part)], steps: [] };
    }
  }

  /** The texts, but the empty one, of a rule that can begin with itself. */
  #someOfGroup(name: string, group: ReadonlySet<string>): Expression {
    const beginnings = [...group].map((rule) => ({ rule, ...this.#beginningsOf(rule, group) }));
    return leftCorners(
      name,
      beginnings,
      (define) => this.#later(define),
      (expression) => this.#count(weightOf(expression)),
    );
  }

  #beginningsOf(name: string, group: ReadonlySet<string>): Beginnings {
    const known = this.#beginnings.get(name);
    if (known !== undefined) return known;
    const found = this.#begin(this.#partOf(name), group);
    this.#beginnings.set(name, found);
    return found;
  }

  /** What is repeated, without the empty text: that would be no progress. Where it may be empty, so may all repeats be. */
  #repeated({ part, least }: Extract<GrammarPart, { kind: 'repeat' }>): {
    readonly once: Expression;
    readonly least: number;
  } {
    const once = this.#someOf(part);
    return { once, least: this.#facts.isNullable(part) ? 0 : least };
  }

  #times(once: Expression, least: number, most: number | null): Expression {
    if (most === 0) return EMPTY;
    if (most === 1) return least === 0 ? optional(once) : once;
    if (most !== null) return repeat(once, least, most);
    if (least === 0) return loop(once);
    const shared = this.#shared(once);
    return sequence(least === 1 ? shared : repeat(shared, least, least), loop(shared));
  }

  /** By place: what stands behind it, made once and only where it is asked for. */
  #behind(parts: readonly GrammarPart[]): (place: number) => Expression {
    const made = new Map<number, Expression>();
    return (place) => {
      const known = made.get(place);
      if (known !== undefined) return known;
      const rest = parts.slice(place + 1);
      const expression = rest.length === 0 ? EMPTY : this.#shared(this.#wholeOf(inSequence(rest)));
      made.set(place, expression);
      return expression;
    };
  }

  /** The expression as a rule, where writing it in several places would cost more. */
  #shared(expression: Expression): Expression {
    return weightOf(expression) <= 2 ? expression : this.#parts.rules.add(expression);
  }

  /** A rule that is defined once all that refers to it is written: rules may refer to each other thousands deep. */
  #later(define: () => Expression): Expression {
    const { rules } = this.#parts;
    const rule: GrammarRule = rules.reserve();
    this.#open.push(() => rules.define(rule, define()));
    return { kind: 'rule', rule };
  }

  #partOf(name: string): GrammarPart {
    const rule = this.#grammar.rules.get(name);
    if (rule === undefined) throw new TypeError(`The rule "${name}" is not defined.`);
    return rule.part;
  }

  /** @throws GrammarRefusedError */
  #count(weight = 1): void {
    this.#size += weight;
    if (this.#size + this.#parts.rules.size > MAX_SIZE)
      throw new GrammarRefusedError(
        'unsupported_parameter',
        null,
        `it needs more than ${MAX_SIZE} rules, parts and states. Make it smaller.`,
      );
  }
}
