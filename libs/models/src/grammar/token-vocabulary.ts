import type { TokenTable } from '#contracts';
import { BYTE_OF_CHARACTER } from '../tokenizer/byte-level-alphabet.ts';

const CHARACTER_OF_BYTE: string[] = [];
for (const [character, byte] of BYTE_OF_CHARACTER) CHARACTER_OF_BYTE[byte] = character;

/**
 * Every token's bytes in the alphabet of byte-level BPE, in which any bytes are text: the form that xgrammar takes of
 * whatever tokenizer. Control tokens, and ids that the table does not know, are empty: xgrammar allows them nowhere.
 */
export function byteLevelVocabulary({ bytes, offsets }: TokenTable, size: number): string[] {
  return Array.from({ length: size }, (_, token) =>
    token + 1 < offsets.length
      ? Array.from(bytes.subarray(offsets[token], offsets[token + 1]), (byte) => CHARACTER_OF_BYTE[byte]).join('')
      : '',
  );
}
