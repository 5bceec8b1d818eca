import { ANY_CHARACTER, type CharacterSet, contains, LAST_CODE_POINT } from './character-set.ts';

/**
 * A regular language over code points. Nodes are interned: equal languages built the same way are the same object, which
 * is what makes the number of derivatives finite.
 */
export interface Language {
  readonly id: number;
  readonly kind: 'nothing' | 'empty' | 'set' | 'concat' | 'either' | 'both' | 'not' | 'star' | 'multiple';
  readonly parts: readonly Language[];
  /** Of `multiple`: the divisor, and the remainder that was read so far. */
  readonly set: CharacterSet;
  /** Holds the empty text. */
  readonly nullable: boolean;
}

const POINT = 0x2e;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
/** Each digit, and what comes behind the last one. */
const DIGIT_STARTS = Array.from({ length: 11 }, (_, digit) => DIGIT_0 + digit);

/**
 * Builds languages and takes derivatives of them. The derivative of a language by a character is what may follow that
 * character; with it, intersection and complement cost no more than union (Brzozowski 1964; Owens, Reppy, Turon 2009).
 */
export class Languages {
  readonly #interned = new Map<string, Language>();
  readonly nothing = this.#intern('nothing', [], [], false);
  readonly empty = this.#intern('empty', [], [], true);
  readonly anything = this.star(this.set(ANY_CHARACTER));

  set(set: CharacterSet): Language {
    return set.length === 0 ? this.nothing : this.#intern('set', [], set, false);
  }

  /** The one text. */
  text(text: string): Language {
    const characters = Array.from(text, (character) => character.codePointAt(0) ?? 0);
    return this.concat(...characters.map((codePoint) => this.set([codePoint, codePoint])));
  }

  concat(...parts: readonly Language[]): Language {
    return parts.reduceRight((rest, part) => this.#concat(part, rest), this.empty);
  }

  either(...parts: readonly Language[]): Language {
    const members = this.#members('either', parts).filter((part) => part !== this.nothing);
    if (members.length === 0) return this.nothing;
    if (members.includes(this.anything)) return this.anything;
    if (members.length === 1) return members[0];
    return this.#intern(
      'either',
      members,
      [],
      members.some(({ nullable }) => nullable),
    );
  }

  both(...parts: readonly Language[]): Language {
    const members = this.#members('both', parts).filter((part) => part !== this.anything);
    if (members.length === 0) return this.anything;
    if (members.includes(this.nothing)) return this.nothing;
    if (members.length === 1) return members[0];
    return this.#intern(
      'both',
      members,
      [],
      members.every(({ nullable }) => nullable),
    );
  }

  not(part: Language): Language {
    if (part === this.nothing) return this.anything;
    if (part === this.anything) return this.nothing;
    if (part.kind === 'not') return part.parts[0];
    return this.#intern('not', [part], [], !part.nullable);
  }

  star(part: Language): Language {
    if (part === this.nothing || part === this.empty) return this.empty;
    return part.kind === 'star' ? part : this.#intern('star', [part], [], true);
  }

  optional(part: Language): Language {
    return this.either(this.empty, part);
  }

  /** @param most null for no limit */
  repeat(part: Language, least: number, most: number | null): Language {
    let rest = most === null ? this.star(part) : this.empty;
    for (let count = most ?? least; count > 0; count--) {
      rest = this.concat(part, rest);
      if (count > least) rest = this.optional(rest);
    }
    return rest;
  }

  /**
   * Texts of digits and points whose digits, read as one whole number behind those that left `remainder`, are a multiple of
   * `divisor`.
   */
  multiple(divisor: number, remainder = 0): Language {
    return this.#intern('multiple', [], [divisor, remainder], remainder === 0);
  }

  /** What may follow `codePoint` in the language. */
  derive(language: Language, codePoint: number): Language {
    const { parts } = language;
    switch (language.kind) {
      case 'nothing':
      case 'empty':
        return this.nothing;
      case 'set':
        return contains(language.set, codePoint) ? this.empty : this.nothing;
      case 'concat': {
        const first = this.#concat(this.derive(parts[0], codePoint), parts[1]);
        return parts[0].nullable ? this.either(first, this.derive(parts[1], codePoint)) : first;
      }
      case 'either':
        return this.either(...parts.map((part) => this.derive(part, codePoint)));
      case 'both':
        return this.both(...parts.map((part) => this.derive(part, codePoint)));
      case 'not':
        return this.not(this.derive(parts[0], codePoint));
      case 'star':
        return this.#concat(this.derive(parts[0], codePoint), language);
      case 'multiple': {
        const [divisor, remainder] = language.set;
        if (codePoint === POINT) return language;
        if (codePoint < DIGIT_0 || codePoint > DIGIT_9) return this.nothing;
        return this.multiple(divisor, (remainder * 10 + codePoint - DIGIT_0) % divisor);
      }
    }
  }

  takes(language: Language, text: string): boolean {
    const characters = Array.from(text, (character) => character.codePointAt(0) ?? 0);
    return characters.reduce((left, codePoint) => this.derive(left, codePoint), language).nullable;
  }

  /** First code points of the intervals in which all characters have the same derivative. */
  boundaries(language: Language): number[] {
    const starts = new Set<number>([0]);
    this.#collectBoundaries(language, starts);
    return [...starts].filter((start) => start <= LAST_CODE_POINT).sort((a, b) => a - b);
  }

  #collectBoundaries(language: Language, starts: Set<number>): void {
    const { set } = language;
    if (language.kind === 'multiple') {
      for (const start of [POINT, POINT + 1, ...DIGIT_STARTS]) starts.add(start);
      return;
    }
    for (let index = 0; index < set.length; index += 2) starts.add(set[index]).add(set[index + 1] + 1);
    const [first, second] = language.parts;
    if (language.kind === 'concat') {
      this.#collectBoundaries(first, starts);
      if (first.nullable) this.#collectBoundaries(second, starts);
    } else {
      for (const part of language.parts) this.#collectBoundaries(part, starts);
    }
  }

  #concat(first: Language, second: Language): Language {
    if (first === this.nothing || second === this.nothing) return this.nothing;
    if (first === this.empty) return second;
    if (second === this.empty) return first;
    if (first.kind === 'concat') return this.#concat(first.parts[0], this.#concat(first.parts[1], second));
    return this.#intern('concat', [first, second], [], first.nullable && second.nullable);
  }

  #members(kind: 'either' | 'both', parts: readonly Language[]): Language[] {
    const members = new Set(parts.flatMap((part) => (part.kind === kind ? part.parts : [part])));
    return [...members].sort((a, b) => a.id - b.id);
  }

  #intern(kind: Language['kind'], parts: readonly Language[], set: CharacterSet, nullable: boolean): Language {
    const key = `${kind}:${parts.map(({ id }) => id).join(',')}:${set.join(',')}`;
    const known = this.#interned.get(key);
    if (known !== undefined) return known;
    const language: Language = { id: this.#interned.size, kind, parts, set, nullable };
    this.#interned.set(key, language);
    return language;
  }
}
