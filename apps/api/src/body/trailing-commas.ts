const QUOTE = '"';
const AFTER_NO_MEMBER = new Set(['', '{', '[', ',', ':']);
const WHITESPACE = /\s/;

/**
 * The text with every comma after the last member of an object or array replaced by a space, so that positions in it stay.
 * Strings are kept as they are. One pass: what is no JSON comes back as something that is none either.
 */
export function withoutTrailingCommas(text: string): string {
  const kept: string[] = [];
  let from = 0;
  /** The last character that is no whitespace. */
  let before = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (WHITESPACE.test(character)) continue;
    if (character === QUOTE) at = endOfString(text, at);
    else if (character === ',' && !AFTER_NO_MEMBER.has(before) && closesNext(text, at)) {
      kept.push(text.slice(from, at), ' ');
      from = at + 1;
    }
    before = character;
  }
  kept.push(text.slice(from));
  return kept.join('');
}

/** Index of the quote that closes the string opened at `start`; the text's length where there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf(QUOTE, start + 1); end !== -1; end = text.indexOf(QUOTE, end + 1)) {
    let backslashes = 0;
    while (text.charAt(end - 1 - backslashes) === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

function closesNext(text: string, comma: number): boolean {
  let at = comma + 1;
  while (WHITESPACE.test(text.charAt(at))) at += 1;
  return text.charAt(at) === '}' || text.charAt(at) === ']';
}
