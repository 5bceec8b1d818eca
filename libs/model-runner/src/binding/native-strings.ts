import koffi from 'koffi';

/** `const char *const *`, made once, so that no call converts strings. */
export class NativeStrings {
  readonly count: number;
  readonly pointers: BigUint64Array;
  readonly #bytes: Uint8Array[];

  constructor(values: readonly string[]) {
    this.count = values.length;
    this.#bytes = values.map((value) => Uint8Array.from(Buffer.from(`${value}\0`)));
    this.pointers = BigUint64Array.from(this.#bytes, (bytes) => koffi.address(bytes));
  }
}
