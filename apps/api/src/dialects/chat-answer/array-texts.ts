/**
 * A JSON array whose elements become text as they come. For what an answer has thousands of: nothing of it has to be kept, and made
 * into text, at the end.
 */
export class ArrayTexts {
  readonly #texts: string[] = [];

  add(elements: readonly unknown[]): void {
    if (elements.length > 0) this.#texts.push(JSON.stringify(elements).slice(1, -1));
  }

  /** They join to the array's JSON. */
  *pieces(): Generator<string> {
    yield '[';
    for (const [index, text] of this.#texts.entries()) yield index === 0 ? text : `,${text}`;
    yield ']';
  }

  toJSON(): unknown {
    return JSON.parse([...this.pieces()].join(''));
  }
}
