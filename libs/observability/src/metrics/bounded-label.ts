const OTHER = 'other';

/** Bounds how many values a label can have: the first `most` that are seen keep their names, the rest are `other`. */
export class BoundedLabel {
  readonly #most: number;
  readonly #seen = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  valueOf(name: string): string {
    if (this.#seen.has(name)) return name;
    if (this.#seen.size >= this.#most) return OTHER;
    this.#seen.add(name);
    return name;
  }
}
