import type { TokenTable } from '#contracts';
import { unfinishedTailLength } from './utf8-tail.ts';

const NO_BYTES = new Uint8Array(0);

/** The token table with the texts of tokens decoded so far; one instance serves all sequences of an engine. */
export class TokenTexts {
  readonly stripLeadingSpace: boolean;
  readonly #table: TokenTable;
  /** A token's text when it ends with a whole character, null when it does not, undefined when nobody asked yet. */
  readonly #texts: (string | null | undefined)[];
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(table: TokenTable) {
    this.#table = table;
    this.#texts = new Array(table.offsets.length - 1).fill(undefined);
    this.stripLeadingSpace = table.stripLeadingSpace;
  }

  /** Ids past the table (models pad their vocabulary) have no bytes. */
  bytes(token: number): Uint8Array {
    const { bytes, offsets } = this.#table;
    return token + 1 < offsets.length ? bytes.subarray(offsets[token], offsets[token + 1]) : NO_BYTES;
  }

  /** The token's text on its own, or null when it ends inside a character. */
  text(token: number): string | null {
    const known = this.#texts[token];
    if (known !== undefined) return known;
    if (token >= this.#texts.length) return '';
    const bytes = this.bytes(token);
    const text = unfinishedTailLength(bytes) === 0 ? this.decode(bytes) : null;
    this.#texts[token] = text;
    return text;
  }

  decode(bytes: Uint8Array): string {
    return this.#decoder.decode(bytes);
  }
}
