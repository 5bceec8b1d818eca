import type { AddedToken } from './added-token.ts';
import type { TokenTrie } from './token-trie.ts';

/** A stretch of text between added tokens, or an added token. `start` is its place in the text that was split. */
export type TextPart = { readonly text: string; readonly start: number } | { readonly token: AddedToken };

const WORD_CHARACTER = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;

/** Splits text at added tokens, leftmost longest first, as the reference tokenizer does. */
export function splitAddedTokens(text: string, tokens: TokenTrie<AddedToken>): TextPart[] {
  if (tokens.size === 0) {
    return text === '' ? [] : [{ text, start: 0 }];
  }
  const parts: TextPart[] = [];
  let textStart = 0;
  for (let position = 0; position < text.length; ) {
    const match = tokens.longestAt(text, position);
    if (!match || (match.value.singleWord && touchesWord(text, position, match.end))) {
      position++;
      continue;
    }
    const token = match.value;
    const textEnd = token.stripLeft ? whiteSpaceStart(text, position, textStart) : position;
    if (textEnd > textStart) {
      parts.push({ text: text.slice(textStart, textEnd), start: textStart });
    }
    parts.push({ token });
    position = token.stripRight ? whiteSpaceEnd(text, match.end) : match.end;
    textStart = position;
  }
  if (textStart < text.length) {
    parts.push({ text: text.slice(textStart), start: textStart });
  }
  return parts;
}

/** Start of the white space that ends at `end`, not before `limit`. */
function whiteSpaceStart(text: string, end: number, limit: number): number {
  let start = end;
  while (start > limit && /\s/u.test(text.charAt(start - 1))) {
    start--;
  }
  return start;
}

/** End of the white space that starts at `start`. */
function whiteSpaceEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && /\s/u.test(text.charAt(end))) {
    end++;
  }
  return end;
}

function touchesWord(text: string, start: number, end: number): boolean {
  return WORD_CHARACTER.test(text.charAt(start - 1)) || WORD_CHARACTER.test(text.charAt(end));
}
