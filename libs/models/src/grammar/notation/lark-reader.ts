import type { Language, Languages } from '../regular/regular-language.ts';
import { type GrammarPart, inSequence, NO_TEXT, type WrittenGrammar, type WrittenRule } from './grammar-part.ts';
import { GrammarSource } from './grammar-source.ts';
import { COMMON_TERMINALS } from './lark-common.ts';
import { LARK_DEFINITION, LARK_SPACE, LarkExpressions } from './lark-expression.ts';
import { larkPattern } from './lark-pattern.ts';
import { LarkTerminals } from './lark-terminals.ts';

const START = 'start';
/** Between terminals; no rule can be called so. */
const IGNORED = '%ignore';
const DIRECTIVE = /%(\w+)[ \t]*/y;
const IMPORT = /(\.?[\w.]+)[ \t]*(?:\(([^)]*)\)|(?:->[ \t]*(\w+))?)[ \t]*(?=\r?\n|$|#|\/\/)/y;
const OPTIONS = /\{\s*\}/y;

/**
 * Reads a part of Lark's notation: `start: "text" TERMINAL (a | b)* c~2..3`. A terminal stands for any text that it matches, not only
 * for the longest; what is ignored may come behind each terminal of a rule. What a parser needs and a text does not, names of
 * alternatives, priorities, `?` and `!` before rules, changes nothing.
 * @throws GrammarRefusedError
 */
export function readLark(languages: Languages, text: string): WrittenGrammar {
  return new LarkReader(languages, text).whole();
}

class LarkReader {
  readonly #languages: Languages;
  readonly #source: GrammarSource;
  readonly #expressions: LarkExpressions;
  readonly #rules = new Map<string, WrittenRule>();
  readonly #terminals: LarkTerminals;
  readonly #ignored: WrittenRule[] = [];

  constructor(languages: Languages, text: string) {
    this.#languages = languages;
    this.#source = new GrammarSource(text);
    this.#expressions = new LarkExpressions(languages, this.#source);
    this.#terminals = new LarkTerminals(languages, this.#source);
  }

  whole(): WrittenGrammar {
    const source = this.#source;
    for (source.takeMatch(LARK_SPACE); !source.isDone; source.takeMatch(LARK_SPACE)) {
      if (source.startsWith('%')) this.#directive();
      else this.#definition();
    }
    const rules = new Map<string, WrittenRule>();
    for (const [name, { line, part }] of this.#rules) rules.set(name, { line, part: this.#ruleOf(part) });
    const [first] = this.#ignored;
    if (first !== undefined) rules.set(IGNORED, { line: first.line, part: this.#ignoredTexts(first.line) });
    // Terminals that no rule uses are held to what terminals may be, too.
    this.#terminals.checkAll();
    return { start: START, rules };
  }

  #definition(): void {
    const source = this.#source;
    const { line } = source;
    const definition = source.isFirstInLine ? source.takeMatch(LARK_DEFINITION) : null;
    if (definition === null)
      throw source.refusal(
        `${source.told} stands where a line begins a rule, name: …, a terminal, NAME: …, or a directive, %….`,
      );
    const [, , name, extra] = definition;
    if (extra?.startsWith('{'))
      throw source.unsupported(`"${name}" is a template, which is not supported. Write a rule for each use.`, line);
    if (extra !== undefined)
      throw source.unsupported(`"${name}" has options, ${extra}, which are not supported. Remove them.`, line);
    const isTerminal = this.#isTerminal(name, line);
    const known = this.#rules.get(name)?.line ?? this.#terminals.lineOf(name);
    if (known !== undefined)
      throw source.refusal(
        `"${name}" stands on line ${known} already. Give it one definition, with | between alternatives.`,
        line,
      );
    const rule = { line, part: this.#expressions.alternatives() };
    if (isTerminal) this.#terminals.define(name, rule);
    else this.#rules.set(name, rule);
  }

  /** @throws GrammarRefusedError for names in both cases */
  #isTerminal(name: string, line: number): boolean {
    const [hasSmall, hasCapitals] = [/[a-z]/.test(name), /[A-Z]/.test(name)];
    if (hasSmall !== hasCapitals) return hasCapitals;
    throw this.#source.refusal(
      `"${name}" is neither a rule, in small letters, nor a terminal, in capitals. Rename it.`,
      line,
    );
  }

  #directive(): void {
    const source = this.#source;
    const { line } = source;
    const [, kind = ''] = source.takeMatch(DIRECTIVE) ?? [];
    if (kind === 'ignore') this.#ignored.push({ line, part: this.#expressions.alternatives() });
    else if (kind === 'import') this.#import(line);
    else if ((kind !== 'llguidance' && kind !== 'grammar_options') || source.takeMatch(OPTIONS) === null)
      throw source.unsupported(
        `the directive %${kind} is not supported. Remove it; %ignore and %import common.NAME are.`,
        line,
      );
  }

  #import(line: number): void {
    const source = this.#source;
    const [whole, path = '', list, alias] = source.takeMatch(IMPORT) ?? [];
    if (whole === undefined)
      throw source.refusal(`${source.told} is nothing to import. Write %import common.NAME, or %import common (A, B).`);
    const [module, only, ...rest] = path.split('.');
    if (module !== 'common' || rest.length > 0 || (list === undefined) === (only === undefined))
      throw source.unsupported(
        `"${whole.trim()}" can not be imported: there are no other grammars than "common". Write its rules here.`,
        line,
      );
    const names = list === undefined ? [only ?? ''] : list.split(',').map((name) => name.trim());
    for (const name of names) {
      const pattern = COMMON_TERMINALS.get(name);
      if (pattern === undefined)
        throw source.refusal(
          `"common" has no terminal "${name}". It has ${[...COMMON_TERMINALS.keys()].join(', ')}.`,
          line,
        );
      const as = alias ?? name;
      if (!this.#isTerminal(as, line))
        throw source.refusal(`"${as}" is no name of a terminal. Write it in capitals.`, line);
      const known = this.#terminals.lineOf(as);
      if (known !== undefined)
        throw source.refusal(`"${as}" stands on line ${known} already. Import it as another, with "-> NAME".`, line);
      this.#terminals.define(as, {
        line,
        part: { kind: 'language', language: larkPattern(this.#languages, pattern, ''), line },
      });
    }
  }

  /** A part of a rule: each terminal in it, with or without a name, may be followed by what is ignored. */
  #ruleOf(part: GrammarPart): GrammarPart {
    switch (part.kind) {
      case 'text':
        return part.text === '' ? part : this.#withIgnored(part, 0);
      case 'language':
        return this.#withIgnored(part, part.line);
      case 'rule': {
        if (!this.#isTerminal(part.name, part.line)) return part;
        const language = this.#terminals.languageOf(part.name, part.line);
        return this.#withIgnored({ kind: 'language', language, line: part.line }, part.line);
      }
      case 'repeat':
        return { ...part, part: this.#ruleOf(part.part) };
      default:
        return { ...part, parts: part.parts.map((each) => this.#ruleOf(each)) };
    }
  }

  #withIgnored(terminal: GrammarPart, line: number): GrammarPart {
    return this.#ignored.length === 0 ? terminal : inSequence([terminal, { kind: 'rule', name: IGNORED, line }]);
  }

  /** Any number of what is ignored. */
  #ignoredTexts(line: number): GrammarPart {
    const each = this.#ignored.map((ignored) => this.#terminals.languageOfPart(ignored.part));
    const language: Language = this.#languages.star(this.#languages.either(...each));
    return language === this.#languages.empty ? NO_TEXT : { kind: 'language', language, line };
  }
}
