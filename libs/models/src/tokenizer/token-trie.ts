interface TrieNode<T> {
  value: T | null;
  readonly children: Map<number, TrieNode<T>>;
}

/** Finds the longest of a set of strings at a position of a text, in time bounded by the longest string. */
export class TokenTrie<T> {
  readonly #root: TrieNode<T> = { value: null, children: new Map() };
  size = 0;

  add(content: string, value: T): void {
    let node = this.#root;
    for (let i = 0; i < content.length; i++) {
      const unit = content.charCodeAt(i);
      let child = node.children.get(unit);
      if (!child) {
        child = { value: null, children: new Map() };
        node.children.set(unit, child);
      }
      node = child;
    }
    node.value = value;
    this.size++;
  }

  /** The value of the longest string that starts at `position`, with its end; null when there is none. */
  longestAt(text: string, position: number): { value: T; end: number } | null {
    let node: TrieNode<T> | undefined = this.#root;
    let found: { value: T; end: number } | null = null;
    for (let i = position; i < text.length; i++) {
      node = node.children.get(text.charCodeAt(i));
      if (!node) {
        break;
      }
      if (node.value !== null) {
        found = { value: node.value, end: i + 1 };
      }
    }
    return found;
  }
}
