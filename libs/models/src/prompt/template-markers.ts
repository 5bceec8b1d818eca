import type { AddedToken } from '../tokenizer/added-token.ts';
import { TokenTrie } from '../tokenizer/token-trie.ts';
import { TemplateError } from './template-error.ts';

const PRIVATE_USE = /[\ue000-\uf8ff]/g;
const FIRST_PRIVATE_USE = 0xe000;
const LAST_PRIVATE_USE = 0xf8ff;
const LETTER_DIGIT_OR_SPACE = /[\p{L}\p{N}\s]/u;

/**
 * How the renderer tells the template's control tokens from the same characters in a user's text: not by changing the
 * user's text, but by changing the template's. In the template's own literals the first and the last character of every
 * control token are swapped for private-use characters ("markers") that occur in no string of the conversation. After
 * rendering, exactly the texts that begin and end with such markers are control tokens; every marker is then swapped
 * back, so the text is what the unmarked template would have given, and trimming, slicing or searching user text inside
 * the template works on the user's real text.
 *
 * Templates may also build a token around a role (`'<|' + role + '|>'`). Literals that end with the beginning of a control
 * token, or begin with the end of one, get markers of a second kind; between two of those only `joinable` words count.
 */
export class TemplateMarkers {
  /** Control tokens in marked form. */
  readonly marked = new TokenTrie<AddedToken>();
  readonly #whole: ReadonlyMap<string, string>;
  readonly #partial: ReadonlyMap<string, string>;
  readonly #original: ReadonlyMap<string, string>;
  readonly #plain = new TokenTrie<AddedToken>();
  readonly #controlTokens: readonly AddedToken[];
  readonly #markers: RegExp | null;

  /**
   * @param joinable words that may stand between two literals which together make a control token
   * @param used private-use characters that must not become markers
   * @throws TemplateError when `used` leaves too few characters
   */
  constructor(controlTokens: readonly AddedToken[], joinable: ReadonlySet<string>, used: ReadonlySet<string>) {
    this.#controlTokens = controlTokens;
    const ends = new Set(
      controlTokens.flatMap(({ content }) => [content.charAt(0), content.charAt(content.length - 1)]),
    );
    const markers = freePrivateUse(2 * ends.size, used);
    this.#markers = markers.length === 0 ? null : new RegExp(`[${markers.join('')}]`, 'g');
    this.#whole = new Map([...ends].map((end, i) => [end, markers[2 * i] ?? end]));
    this.#partial = new Map([...ends].map((end, i) => [end, markers[2 * i + 1] ?? end]));
    this.#original = new Map([...this.#whole, ...this.#partial].map(([end, marker]) => [marker, end]));
    for (const token of controlTokens) {
      this.#plain.add(token.content, token);
      this.marked.add(swapEnds(token.content, this.#whole), token);
      if (joinable.has(coreOf(token.content))) {
        this.marked.add(swapEnds(token.content, this.#partial), token);
      }
    }
  }

  /** Whether one of these characters is a marker, so that other markers are needed. */
  clashesWith(used: ReadonlySet<string>): boolean {
    return used.size > 0 && [...this.#original.keys()].some((marker) => used.has(marker));
  }

  /** Marks a literal of the template, or a value that the model gives it (`bos_token`). */
  mark(literal: string): string {
    let result = '';
    let position = 0;
    let firstEnd = -1;
    let lastEnd = 0;
    while (position < literal.length) {
      const match = this.#plain.longestAt(literal, position);
      if (match) {
        firstEnd = firstEnd < 0 ? position : firstEnd;
        result += swapEnds(literal.slice(position, match.end), this.#whole);
        position = match.end;
        lastEnd = position;
      } else {
        result += literal.charAt(position++);
      }
    }
    const head = firstEnd < 0 ? literal : literal.slice(0, firstEnd);
    return this.#markTokenEnd(this.#markTokenStart(result, literal.slice(lastEnd)), head);
  }

  unmark(text: string): string {
    return this.#markers === null
      ? text
      : text.replace(this.#markers, (marker) => this.#original.get(marker) ?? marker);
  }

  /** `tail` is what follows the last whole token; its longest ending that begins a control token is marked. */
  #markTokenStart(text: string, tail: string): string {
    for (let start = 0; start < tail.length; start++) {
      const beginning = tail.slice(start);
      const marker = this.#partial.get(beginning.charAt(0));
      if (
        marker !== undefined &&
        !LETTER_DIGIT_OR_SPACE.test(beginning.charAt(0)) &&
        this.#controlTokens.some(({ content }) => content.length > beginning.length && content.startsWith(beginning))
      ) {
        const at = text.length - beginning.length;
        return text.slice(0, at) + marker + text.slice(at + 1);
      }
    }
    return text;
  }

  /** `head` is what precedes the first whole token; its longest beginning that ends a control token is marked. */
  #markTokenEnd(text: string, head: string): string {
    for (let end = head.length; end > 0; end--) {
      const ending = head.slice(0, end);
      const marker = this.#partial.get(ending.charAt(end - 1));
      if (
        marker !== undefined &&
        !LETTER_DIGIT_OR_SPACE.test(ending.charAt(end - 1)) &&
        this.#controlTokens.some(({ content }) => content.length > end && content.endsWith(ending))
      ) {
        return text.slice(0, end - 1) + marker + text.slice(end);
      }
    }
    return text;
  }
}

/** Collects the private-use characters of a text. */
export function addPrivateUse(text: string, used: Set<string>): void {
  for (const [character] of text.matchAll(PRIVATE_USE)) {
    used.add(character);
  }
}

/** A token without the punctuation around it: `user` of `<|user|>`. */
function coreOf(content: string): string {
  return content.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '');
}

function swapEnds(content: string, markers: ReadonlyMap<string, string>): string {
  const first = markers.get(content.charAt(0)) ?? '';
  const last = markers.get(content.charAt(content.length - 1)) ?? '';
  return content.length === 1 ? first : first + content.slice(1, -1) + last;
}

function freePrivateUse(count: number, used: ReadonlySet<string>): string[] {
  const free: string[] = [];
  for (let code = FIRST_PRIVATE_USE; code <= LAST_PRIVATE_USE && free.length < count; code++) {
    const character = String.fromCharCode(code);
    if (!used.has(character)) {
      free.push(character);
    }
  }
  if (free.length < count) {
    throw new TemplateError(
      'messages: the text uses nearly all private-use characters (U+E000 to U+F8FF). Remedy: remove some of them.',
      { param: 'messages' },
    );
  }
  return free;
}
