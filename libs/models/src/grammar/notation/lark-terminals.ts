import type { Language, Languages } from '../regular/regular-language.ts';
import type { GrammarPart, WrittenRule } from './grammar-part.ts';
import type { GrammarSource } from './grammar-source.ts';

/** Times that a part of a terminal may be repeated: each is written out. */
const MOST_REPEATS = 256;
const MOST_NESTED = 128;

/** The terminals of a grammar in Lark's notation: each is a regular language, made of others. */
export class LarkTerminals {
  readonly #languages: Languages;
  readonly #source: GrammarSource;
  readonly #terminals = new Map<string, WrittenRule>();
  readonly #made = new Map<string, Language>();
  /** Those that are being made. */
  readonly #open: string[] = [];

  constructor(languages: Languages, source: GrammarSource) {
    this.#languages = languages;
    this.#source = source;
  }

  define(name: string, terminal: WrittenRule): void {
    this.#terminals.set(name, terminal);
  }

  lineOf(name: string): number | undefined {
    return this.#terminals.get(name)?.line;
  }

  /** @throws GrammarRefusedError for one that can not be */
  checkAll(): void {
    for (const [name, { line }] of this.#terminals) this.languageOf(name, line);
  }

  /** @param line where it is used. @throws GrammarRefusedError where it is not defined, or contains itself */
  languageOf(name: string, line: number): Language {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const terminal = this.#terminals.get(name);
    if (terminal === undefined)
      throw this.#source.refusal(`terminal "${name}" is not defined. Define it, import it, or correct its name.`, line);
    if (this.#open.includes(name))
      throw this.#source.refusal(
        `terminal "${name}" contains itself. Write it as a rule, in small letters.`,
        terminal.line,
      );
    if (this.#open.length >= MOST_NESTED)
      throw this.#source.unsupported(`terminals refer to each other deeper than ${MOST_NESTED}. Write some out.`, line);
    this.#open.push(name);
    const language = this.languageOfPart(terminal.part);
    this.#open.pop();
    this.#made.set(name, language);
    return language;
  }

  /** @throws GrammarRefusedError */
  languageOfPart(part: GrammarPart): Language {
    const languages = this.#languages;
    switch (part.kind) {
      case 'text':
        return languages.text(part.text);
      case 'language':
        return part.language;
      case 'rule':
        if (/[a-z]/.test(part.name))
          throw this.#source.refusal(
            `a terminal refers to the rule "${part.name}". Terminals are made of terminals; write a rule, in small letters.`,
            part.line,
          );
        return this.languageOf(part.name, part.line);
      case 'sequence':
        return languages.concat(...part.parts.map((each) => this.languageOfPart(each)));
      case 'choice':
        return languages.either(...part.parts.map((each) => this.languageOfPart(each)));
      case 'repeat': {
        const { least, most } = part;
        if (Math.max(least, most ?? 0) > MOST_REPEATS)
          throw this.#source.unsupported(
            `a part of a terminal is repeated more than ${MOST_REPEATS} times. Make a rule of it, in small letters.`,
            this.#terminals.get(this.#open.at(-1) ?? '')?.line,
          );
        return languages.repeat(this.languageOfPart(part.part), least, most);
      }
    }
  }
}
