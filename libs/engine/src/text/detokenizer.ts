import type { TokenTexts } from './token-texts.ts';
import { unfinishedTailLength } from './utf8-tail.ts';

const NO_BYTES = new Uint8Array(0);

/**
 * Turns one sequence's tokens into text as they come. A character whose bytes are spread over tokens is held back until
 * it is whole. All texts joined equal what a TextDecoder makes of all bytes at once, invalid bytes (U+FFFD) included.
 */
export class Detokenizer {
  readonly #texts: TokenTexts;
  /** The unfinished character at the end, at most 3 bytes. */
  #pending: Uint8Array = NO_BYTES;
  #atStart: boolean;

  /** @param continuesText whether there is text before the first token already */
  constructor(texts: TokenTexts, continuesText = false) {
    this.#texts = texts;
    this.#atStart = !continuesText;
  }

  /** The text that `token` completes. */
  push(token: number): string {
    if (this.#pending.length === 0) {
      const text = this.#texts.text(token);
      if (text !== null) return this.#withoutLeadingSpace(text);
    }
    return this.#withoutLeadingSpace(this.#pushBytes(this.#texts.bytes(token)));
  }

  /** What is left at the end: an unfinished character becomes U+FFFD. */
  flush(): string {
    if (this.#pending.length === 0) return '';
    const text = this.#texts.decode(this.#pending);
    this.#pending = NO_BYTES;
    return this.#withoutLeadingSpace(text);
  }

  #pushBytes(bytes: Uint8Array): string {
    const all = new Uint8Array(this.#pending.length + bytes.length);
    all.set(this.#pending);
    all.set(bytes, this.#pending.length);
    const whole = all.length - unfinishedTailLength(all);
    this.#pending = whole === all.length ? NO_BYTES : all.slice(whole);
    return this.#texts.decode(all.subarray(0, whole));
  }

  #withoutLeadingSpace(text: string): string {
    if (!this.#atStart || text.length === 0) return text;
    this.#atStart = false;
    return this.#texts.stripLeadingSpace && text.startsWith(' ') ? text.slice(1) : text;
  }
}
