/** What waits to be worked on one after another, by tenant: tenants are served in turn, whoever has asked for more. */
export class TenantLine<Item> {
  /** By tenant, in the order in which they are served. */
  readonly #waiting = new Map<string, Item[]>();
  readonly #most: number;
  #length = 0;

  /** @param most items that wait at a time; any number by default */
  constructor(most: number = Number.POSITIVE_INFINITY) {
    this.#most = most;
  }

  get length(): number {
    return this.#length;
  }

  /**
   * Puts an item behind those of its tenant.
   * @returns who has no place then, null mostly: the newest item of the tenant with most of them, or the new one itself where
   * its tenant would have as many
   */
  add(tenantId: string, item: Item): Item | null {
    const own = this.#waiting.get(tenantId);
    let displaced: Item | null = null;
    if (this.#length >= this.#most) {
      const [longest, items] = this.#longest();
      if (items.length <= (own?.length ?? 0) + 1) return item;
      displaced = items.pop() ?? null;
      this.#length -= 1;
      if (items.length === 0) this.#waiting.delete(longest);
    }
    if (own === undefined) this.#waiting.set(tenantId, [item]);
    else own.push(item);
    this.#length += 1;
    return displaced;
  }

  /** Takes out whose turn it is. */
  next(): Item | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [tenantId, items] = first;
    const item = items.shift();
    this.#length -= 1;
    // To the end of the tenants' order.
    this.#waiting.delete(tenantId);
    if (items.length > 0) this.#waiting.set(tenantId, items);
    return item;
  }

  /** Takes out what waits in its tenant's place, wherever that is. @returns whether it was there */
  remove(tenantId: string, item: Item): boolean {
    const items = this.#waiting.get(tenantId);
    const at = items?.indexOf(item) ?? -1;
    if (items === undefined || at < 0) return false;
    items.splice(at, 1);
    if (items.length === 0) this.#waiting.delete(tenantId);
    this.#length -= 1;
    return true;
  }

  #longest(): [string, Item[]] {
    let longest: [string, Item[]] = ['', []];
    for (const entry of this.#waiting) if (entry[1].length > longest[1].length) longest = entry;
    return longest;
  }
}
