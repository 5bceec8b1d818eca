import { complement } from './character-set.ts';
import { WORD } from './pattern-class.ts';
import { PatternError } from './pattern-error.ts';
import { isConditional, type PatternNode } from './pattern-node.ts';
import type { Language, Languages } from './regular-language.ts';

/** Most times that a part with anchors or lookaheads is written out. */
const MAX_CONDITIONAL_REPEATS = 16;

/** What stands right before a place in the text: nothing, a word's character, or another. */
type Before = 'start' | 'word' | 'other';

/** The language of what may stand behind a part, by what that part ends with. */
type Rest = (before: Before) => Language;

/**
 * The texts in which a pattern finds a match. Each part is made with the language of all that may follow it, so that anchors
 * and lookaheads speak of the whole rest of the text wherever they stand.
 * @throws PatternError
 */
export function patternLanguage(languages: Languages, pattern: PatternNode): Language {
  const { anything } = languages;
  const compiler = new PatternCompiler(languages);
  const match = remembered((before) => compiler.match(pattern, before, () => anything));
  return compiler.behind(anything, 'start', match);
}

/** Made once for each, however many alternatives lead to it. */
function remembered(rest: Rest): Rest {
  const made = new Map<Before, Language>();
  return (before) => {
    const language = made.get(before) ?? rest(before);
    made.set(before, language);
    return language;
  };
}

class PatternCompiler {
  readonly #languages: Languages;
  readonly #word: Language;
  readonly #other: Language;

  constructor(languages: Languages) {
    this.#languages = languages;
    this.#word = languages.set(WORD);
    this.#other = languages.set(complement(WORD));
  }

  /** What the node and then the rest match. */
  match(node: PatternNode, before: Before, rest: Rest): Language {
    const { both, not, anything, nothing, empty, either } = this.#bound();
    if (!isConditional(node)) return this.behind(this.#plain(node), before, rest);
    switch (node.kind) {
      case 'start':
        return before === 'start' ? rest(before) : nothing;
      case 'end':
        return rest(before).nullable ? empty : nothing;
      case 'word-border':
      case 'no-word-border':
        return both(this.#wordNext((before === 'word') !== (node.kind === 'word-border')), rest(before));
      case 'ahead':
        return both(
          this.match(node.part, before, () => anything),
          rest(before),
        );
      case 'not-ahead':
        return both(not(this.match(node.part, before, () => anything)), rest(before));
      case 'sequence':
        return node.parts.reduceRight<Rest>(
          (after, part) => remembered((earlier) => this.match(part, earlier, after)),
          rest,
        )(before);
      case 'either':
        return either(...node.parts.map((part) => this.match(part, before, rest)));
      case 'repeat':
        return this.#repeated(node, rest)(before);
      default:
        return nothing;
    }
  }

  /** What a text of the language and then the rest match. */
  behind(language: Language, before: Before, rest: Rest): Language {
    const { concat, either, both, not, anything, nothing, empty } = this.#bound();
    const [word, other] = [rest('word'), rest('other')];
    const none = language.nullable ? rest(before) : null;
    if (word === other && (none === null || none === word)) return concat(language, word);
    const some =
      word === other
        ? [concat(both(language, not(empty)), word)]
        : [
            concat(both(language, concat(anything, this.#word)), word),
            concat(both(language, concat(anything, this.#other)), other),
          ];
    return either(none ?? nothing, ...some);
  }

  /** The texts that begin with a word's character, or those that do not. */
  #wordNext(isWord: boolean): Language {
    const { concat, either, anything, empty } = this.#bound();
    return isWord ? concat(this.#word, anything) : either(empty, concat(this.#other, anything));
  }

  #repeated({ part, least, most }: PatternNode & { kind: 'repeat' }, rest: Rest): Rest {
    if (most === null || most > MAX_CONDITIONAL_REPEATS) {
      throw new PatternError(
        `anchors and lookaheads inside of groups that repeat more than ${MAX_CONDITIONAL_REPEATS} times are not supported`,
      );
    }
    const end = remembered(rest);
    let next = end;
    for (let count = most - 1; count >= 0; count--) {
      const after = next;
      next = remembered((before) => {
        const once = this.match(part, before, after);
        return count < least ? once : this.#languages.either(end(before), once);
      });
    }
    return next;
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
