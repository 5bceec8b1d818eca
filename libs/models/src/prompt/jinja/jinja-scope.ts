import type { JinjaValue } from './jinja-value.ts';

/** The names of a block; names that it does not set are those of the block around it. */
export class JinjaScope {
  readonly #names = new Map<string, JinjaValue>();
  readonly #outer: JinjaScope | null;

  constructor(outer: JinjaScope | null = null) {
    this.#outer = outer;
  }

  set(name: string, value: JinjaValue): void {
    this.#names.set(name, value);
  }

  /** Undefined where no block has the name. */
  get(name: string): JinjaValue {
    for (let scope: JinjaScope | null = this; scope !== null; scope = scope.#outer) {
      if (scope.#names.has(name)) return scope.#names.get(name);
    }
    return undefined;
  }
}
