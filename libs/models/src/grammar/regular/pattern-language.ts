import { PatternError } from './pattern-error.ts';
import { isConditional, type PatternNode } from './pattern-node.ts';
import type { Language, Languages } from './regular-language.ts';

/** Most times that a part with anchors or lookaheads is written out. */
const MAX_CONDITIONAL_REPEATS = 16;

/** The language of what may stand behind a part, by whether that is the start of the text. */
type Rest = (atStart: boolean) => Language;

/**
 * The texts in which a pattern finds a match. Each part is made with the language of all that may follow it, so that anchors
 * and lookaheads speak of the whole rest of the text wherever they stand.
 * @throws PatternError
 */
export function patternLanguage(languages: Languages, pattern: PatternNode): Language {
  const { anything } = languages;
  const compiler = new PatternCompiler(languages);
  const first = compiler.before(pattern, true, () => anything);
  const later = compiler.before(pattern, false, () => anything);
  if (first === later) return languages.concat(anything, first);
  return languages.either(first, languages.concat(compiler.nonEmpty(anything), later));
}

/** Made once for each, however many alternatives lead to it. */
function remembered(rest: Rest): Rest {
  const made = new Map<boolean, Language>();
  return (atStart) => {
    const language = made.get(atStart) ?? rest(atStart);
    made.set(atStart, language);
    return language;
  };
}

class PatternCompiler {
  readonly #languages: Languages;

  constructor(languages: Languages) {
    this.#languages = languages;
  }

  nonEmpty(language: Language): Language {
    const { empty } = this.#languages;
    return language.nullable ? this.#languages.both(language, this.#languages.not(empty)) : language;
  }

  /** What the node and then the rest match. */
  before(node: PatternNode, atStart: boolean, rest: Rest): Language {
    const { both, not, anything, nothing, empty, either } = this.#bound();
    switch (node.kind) {
      case 'start':
        return atStart ? rest(true) : nothing;
      case 'end':
        return rest(atStart).nullable ? empty : nothing;
      case 'ahead':
        return both(
          this.before(node.part, atStart, () => anything),
          rest(atStart),
        );
      case 'not-ahead':
        return both(not(this.before(node.part, atStart, () => anything)), rest(atStart));
    }
    if (!isConditional(node)) return this.#plainBefore(this.#plain(node), atStart, rest);
    switch (node.kind) {
      case 'sequence':
        return node.parts.reduceRight<Rest>(
          (after, part) => remembered((start) => this.before(part, start, after)),
          rest,
        )(atStart);
      case 'either':
        return either(...node.parts.map((part) => this.before(part, atStart, rest)));
      case 'repeat':
        return this.#repeatBefore(node, 0, atStart, rest);
      default:
        return nothing;
    }
  }

  #plainBefore(language: Language, atStart: boolean, rest: Rest): Language {
    const { concat, either, nothing } = this.#bound();
    const later = rest(false);
    if (!atStart || !language.nullable) return concat(language, later);
    const first = rest(true);
    if (first === later) return concat(language, later);
    return either(language.nullable ? first : nothing, concat(this.nonEmpty(language), later));
  }

  #repeatBefore(node: PatternNode & { kind: 'repeat' }, count: number, atStart: boolean, rest: Rest): Language {
    const { part, least, most } = node;
    if (most === null || most > MAX_CONDITIONAL_REPEATS) {
      throw new PatternError(
        `anchors and lookaheads inside of groups that repeat more than ${MAX_CONDITIONAL_REPEATS} times are not supported`,
      );
    }
    if (count >= most) return rest(atStart);
    const next = remembered((start) => this.#repeatBefore(node, count + 1, start, rest));
    const once = this.before(part, atStart, next);
    return count < least ? once : this.#languages.either(rest(atStart), once);
  }

  /** The language of a part that looks at nothing around it. */
  #plain(node: PatternNode): Language {
    const { set, concat, either, repeat, nothing } = this.#bound();
    switch (node.kind) {
      case 'set':
        return set(node.set);
      case 'sequence':
        return concat(...node.parts.map((part) => this.#plain(part)));
      case 'either':
        return either(...node.parts.map((part) => this.#plain(part)));
      case 'repeat':
        return repeat(this.#plain(node.part), node.least, node.most);
      default:
        return nothing;
    }
  }

  /** The constructors, to be named without their owner. */
  #bound() {
    const languages = this.#languages;
    return {
      nothing: languages.nothing,
      empty: languages.empty,
      anything: languages.anything,
      set: languages.set.bind(languages),
      concat: languages.concat.bind(languages),
      either: languages.either.bind(languages),
      both: languages.both.bind(languages),
      not: languages.not.bind(languages),
      repeat: languages.repeat.bind(languages),
    };
  }
}
