import { ANY_CHARACTER, alikeUnder, type CharacterSet, contains } from './character-set.ts';

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
/** What `multiple` tells apart. */
const NUMBER_SETS: readonly CharacterSet[] = [POINT, ...Array.from({ length: 10 }, (_, digit) => DIGIT_0 + digit)].map(
  (codePoint) => [codePoint, codePoint],
);

/**
 * Builds languages and takes derivatives of them. The derivative of a language by a character is what may follow that
 * character; with it, intersection and complement cost no more than union (Brzozowski 1964; Owens, Reppy, Turon 2009).
 */
export class Languages {
  readonly #interned = new Map<string, Language>();
  readonly #leafNumbers = new Map<CharacterSet, number>();
  /** By the numbers of the sets that a language looks at next: most states of a pattern look at the same. */
  readonly #alike = new Map<string, readonly CharacterSet[]>();
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

  /** All characters, in sets whose members have the same derivative. */
  alikeIn(language: Language): readonly CharacterSet[] {
    const leaves = new Set<CharacterSet>();
    collectLeaves(language, leaves);
    const known = [...leaves];
    const key = known.map((set) => this.#numberOf(set)).join(',');
    const alike = this.#alike.get(key) ?? alikeUnder(known);
    this.#alike.set(key, alike);
    return alike;
  }

  #numberOf(set: CharacterSet): number {
    const number = this.#leafNumbers.get(set) ?? this.#leafNumbers.size;
    this.#leafNumbers.set(set, number);
    return number;
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

/** The sets by which the language decides on its next character; equal ones of one `Languages` are the same object. */
function collectLeaves({ kind, parts, set }: Language, leaves: Set<CharacterSet>): void {
  if (kind === 'set') leaves.add(set);
  else if (kind === 'multiple') for (const each of NUMBER_SETS) leaves.add(each);
  else if (kind === 'concat') {
    const [first, second] = parts;
    collectLeaves(first, leaves);
    if (first.nullable) collectLeaves(second, leaves);
  } else for (const part of parts) collectLeaves(part, leaves);
}
