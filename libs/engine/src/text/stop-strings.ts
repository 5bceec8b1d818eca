/**
 * Finds stop strings in text that comes in pieces, and lets no part of one through: text that may be the beginning of a
 * stop string is held back until the next pieces decide. The match is the one that is complete first (of those complete
 * at the same place the longest), so the result does not depend on how the text was cut into pieces.
 */
export class StopStrings {
  readonly #strings: readonly string[];
  readonly #showsMatch: boolean;
  #held = '';
  #matched: string | null = null;

  /** @param showsMatch whether the stop string that is found may be shown, too */
  constructor(strings: readonly string[], showsMatch = false) {
    // A lone surrogate can not occur in decoded text; unchanged it could match half of a character.
    this.#strings = strings.map((string) => string.toWellFormed());
    this.#showsMatch = showsMatch;
  }

  /** The stop string that was found, as the text has it. */
  get matched(): string | null {
    return this.#matched;
  }

  /** Takes the next piece; returns what may be shown. Nothing more is shown once a stop string is found. */
  push(piece: string): string {
    if (this.#strings.length === 0) return piece;
    if (this.#matched !== null || piece.length === 0) return '';
    const text = this.#held + piece;
    const match = this.#findFirst(text);
    const shown = match === null ? text.length - this.#heldLength(text) : this.#showsMatch ? match.end : match.start;
    this.#held = match === null ? text.slice(shown) : '';
    return text.slice(0, shown);
  }

  /** Releases what is held back when the sequence ends without a stop string. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  /** Where the match starts, and where the text goes on behind it. */
  #findFirst(text: string): { readonly start: number; readonly end: number } | null {
    let firstStart = -1;
    let firstEnd = Number.POSITIVE_INFINITY;
    for (const string of this.#strings) {
      const start = text.indexOf(string);
      if (start < 0) continue;
      const end = start + string.length;
      if (end < firstEnd || (end === firstEnd && start < firstStart)) {
        firstStart = start;
        firstEnd = end;
        this.#matched = string;
      }
    }
    return firstStart < 0 ? null : { start: firstStart, end: firstEnd };
  }

  /** Length of the longest end of `text` that begins a stop string. */
  #heldLength(text: string): number {
    let longest = 0;
    for (const string of this.#strings) {
      for (let length = Math.min(string.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(string.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
