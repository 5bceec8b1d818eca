import type { GrammarPart, WrittenGrammar } from './grammar-part.ts';
import { GrammarRefusedError } from './grammar-refused-error.ts';

type Rules = WrittenGrammar['rules'];

/** What has to be known of a grammar's rules before they are written as others. */
export class RuleFacts {
  readonly #rules: Rules;
  /** Rules that the empty text fits. */
  readonly #nullable: ReadonlySet<string>;
  /** Of rules that can begin with themselves, all that begin with each other. */
  readonly #groups = new Map<string, ReadonlySet<string>>();

  /** @throws GrammarRefusedError for a rule that is not defined, or without any finite text, where an answer can come to it */
  constructor({ start, rules }: WrittenGrammar) {
    this.#rules = rules;
    if (!rules.has(start))
      throw new GrammarRefusedError(
        'invalid_request',
        null,
        `no rule is called "${start}". Name the rule so that the whole answer is.`,
      );
    for (const { part } of rules.values()) checkNames(part, rules);
    const ending = growing(rules, canEnd);
    for (const name of reached(start, rules)) {
      const rule = rules.get(name);
      if (!ending.has(name) && rule !== undefined)
        throw new GrammarRefusedError(
          'invalid_request',
          rule.line,
          `rule "${name}" never ends: each of its alternatives needs itself again. Give it one that does not.`,
        );
    }
    this.#nullable = growing(rules, (part, found) => this.#isNullable(part, found));
    this.#findGroups();
  }

  isNullable(part: GrammarPart): boolean {
    return this.#isNullable(part, this.#nullable);
  }

  /** The rules that can begin with this one and with which it can begin; null where it can not begin with itself. */
  groupOf(name: string): ReadonlySet<string> | null {
    return this.#groups.get(name) ?? null;
  }

  #isNullable(part: GrammarPart, known: ReadonlySet<string>): boolean {
    switch (part.kind) {
      case 'text':
        return part.text === '';
      case 'language':
        return part.language.nullable;
      case 'rule':
        return known.has(part.name);
      case 'sequence':
        return part.parts.every((each) => this.#isNullable(each, known));
      case 'choice':
        return part.parts.some((each) => this.#isNullable(each, known));
      case 'repeat':
        return part.least === 0 || this.#isNullable(part.part, known);
    }
  }

  /** Rules that a part can begin with. */
  #firstRules(part: GrammarPart, into: Set<string>): void {
    if (part.kind === 'rule') into.add(part.name);
    else if (part.kind === 'repeat') this.#firstRules(part.part, into);
    else if (part.kind === 'choice') for (const each of part.parts) this.#firstRules(each, into);
    else if (part.kind === 'sequence') {
      for (const each of part.parts) {
        this.#firstRules(each, into);
        if (!this.isNullable(each)) break;
      }
    }
  }

  /** The strongly connected components of what begins with what (Tarjan 1972), without recursion: rules may be thousands deep. */
  #findGroups(): void {
    const firsts = new Map<string, readonly string[]>();
    for (const [name, { part }] of this.#rules) {
      const found = new Set<string>();
      this.#firstRules(part, found);
      firsts.set(name, [...found]);
    }
    const numbers = new Map<string, number>();
    const lowest = new Map<string, number>();
    const waiting: string[] = [];
    const isWaiting = new Set<string>();
    const numberOf = (name: string, of: Map<string, number>): number => of.get(name) ?? 0;
    for (const root of this.#rules.keys()) {
      if (numbers.has(root)) continue;
      const open: { readonly name: string; next: number }[] = [];
      const enter = (name: string): void => {
        lowest.set(name, numbers.size);
        numbers.set(name, numbers.size);
        waiting.push(name);
        isWaiting.add(name);
        open.push({ name, next: 0 });
      };
      enter(root);
      for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
        const { name } = top;
        const first = firsts.get(name)?.[top.next];
        top.next += 1;
        if (first !== undefined) {
          if (!numbers.has(first)) enter(first);
          else if (isWaiting.has(first)) lowest.set(name, Math.min(numberOf(name, lowest), numberOf(first, numbers)));
          continue;
        }
        open.pop();
        const parent = open.at(-1)?.name;
        if (parent !== undefined) lowest.set(parent, Math.min(numberOf(parent, lowest), numberOf(name, lowest)));
        if (numberOf(name, lowest) !== numberOf(name, numbers)) continue;
        const members = new Set(waiting.splice(waiting.lastIndexOf(name)));
        for (const member of members) isWaiting.delete(member);
        if (members.size === 1 && !firsts.get(name)?.includes(name)) continue;
        for (const member of members) this.#groups.set(member, members);
      }
    }
  }
}

/** @throws GrammarRefusedError */
function checkNames(part: GrammarPart, rules: Rules): void {
  if (part.kind === 'rule' && !rules.has(part.name))
    throw new GrammarRefusedError(
      'invalid_request',
      part.line,
      `rule "${part.name}" is not defined. Define it, or correct its name.`,
    );
  if (part.kind === 'repeat') checkNames(part.part, rules);
  else if ('parts' in part) for (const each of part.parts) checkNames(each, rules);
}

/** The rules of which something is true that follows from its being true of others. */
function growing(rules: Rules, holds: (part: GrammarPart, known: ReadonlySet<string>) => boolean): Set<string> {
  const found = new Set<string>();
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const [name, { part }] of rules) if (!found.has(name) && holds(part, found)) found.add(name);
  }
  return found;
}

function canEnd(part: GrammarPart, known: ReadonlySet<string>): boolean {
  switch (part.kind) {
    case 'text':
    case 'language':
      return true;
    case 'rule':
      return known.has(part.name);
    case 'sequence':
      return part.parts.every((each) => canEnd(each, known));
    case 'choice':
      return part.parts.some((each) => canEnd(each, known));
    case 'repeat':
      return part.least === 0 || canEnd(part.part, known);
  }
}

/** All rules that an answer can come to. */
function reached(start: string, rules: Rules): Set<string> {
  const found = new Set([start]);
  const visit = (part: GrammarPart): void => {
    if (part.kind === 'rule') found.add(part.name);
    else if (part.kind === 'repeat') visit(part.part);
    else if ('parts' in part) for (const each of part.parts) visit(each);
  };
  // A Set gives those that are added meanwhile, too.
  for (const name of found) {
    const rule = rules.get(name);
    if (rule !== undefined) visit(rule.part);
  }
  return found;
}
