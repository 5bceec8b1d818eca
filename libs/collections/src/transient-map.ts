/** Fewer deletions than this are not worth a new table. */
const LEAST_DELETIONS = 16;

/**
 * A map for a long-lived owner whose entries come and go, such as the requests that are open.
 *
 * V8's `Map` goes over to a new table whenever entries were added and deleted often enough, and the old table keeps a pointer to the new
 * one (for iterators) and to what it held. Once one of these tables has reached the old generation, all later ones, and all entries they
 * ever held, outlive every young collection, until the whole heap is collected: each collection copies them, in pauses of milliseconds. Here the
 * entries move to a new map after as many deletions as there are entries, which no old table points to. Adding and deleting stay O(1) on
 * the average.
 */
export class TransientMap<Key, Value> {
  #entries = new Map<Key, Value>();
  #deletions = 0;

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  set(key: Key, value: Value): this {
    this.#entries.set(key, value);
    return this;
  }

  /** @returns whether it was there */
  delete(key: Key): boolean {
    if (!this.#entries.delete(key)) return false;
    this.#deletions += 1;
    if (this.#deletions >= Math.max(LEAST_DELETIONS, this.#entries.size)) {
      this.#entries = new Map(this.#entries);
      this.#deletions = 0;
    }
    return true;
  }

  /** The values as they are now. */
  values(): Value[] {
    return [...this.#entries.values()];
  }
}
