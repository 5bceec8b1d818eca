/**
 * int64 values written as 32-bit halves, because storing a bigint allocates it. Every platform that ONNX Runtime's
 * packages support is little-endian; values are 0 to 2³¹ − 1.
 */
export class Int64Buffer {
  readonly values: BigInt64Array;
  readonly #halves: Int32Array;

  constructor(length: number) {
    this.values = new BigInt64Array(length);
    this.#halves = new Int32Array(this.values.buffer);
  }

  set(index: number, value: number): void {
    this.#halves[2 * index] = value;
  }
}
