/** A hash of numbers and texts, as they come: two multiplicative hashes of 32 bits (FNV-1a, and one that mixes it in). Not for secrets. */
export class PromptHash {
  #high = 0x811c9dc5;
  #low: number;

  constructor(seed: number) {
    this.#low = 0x9747b28c ^ seed;
    this.number(Math.floor(seed / 2 ** 32));
  }

  /** 53 bits, of all that came so far. */
  get value(): number {
    return (spread(this.#high ^ this.#low) >>> 0) * 2 ** 21 + (spread(this.#low) >>> 11);
  }

  number(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 0x01000193);
    this.#low = Math.imul(this.#low ^ (value + (this.#high >>> 15)), 0x85ebca6b);
    this.#low ^= this.#low >>> 13;
  }

  /** Told apart from others by its end, too. */
  text(text: string): void {
    for (let index = 0; index < text.length; index += 1) this.number(text.charCodeAt(index));
    this.number(-1);
  }
}

/** Every bit of the outcome depends on every bit (MurmurHash3's last step). */
function spread(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
