const ESCAPE = /\\(\n|[\\'"abfnrtv]|[0-7]{1,3}|x[\da-f]{2}|u[\da-f]{4}|U[\da-f]{8}|[xuUN])/gi;
const CHARACTERS: Readonly<Record<string, string>> = {
  '\n': '',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** What a string literal of Python means; a backslash before any other character stands for itself. @throws SyntaxError */
export function unescapeString(text: string): string {
  return text.includes('\\') ? text.replace(ESCAPE, (written, code: string) => meaning(written, code)) : text;
}

function meaning(written: string, sequence: string): string {
  const first = sequence.charAt(0);
  if (/[0-7]/.test(first)) return String.fromCodePoint(Number.parseInt(sequence, 8));
  if (/[xuU]/.test(first)) {
    const code = Number.parseInt(sequence.slice(1), 16);
    if (Number.isNaN(code) || code > 0x10ffff) throw new SyntaxError(`truncated or too large escape ${written}`);
    return String.fromCodePoint(code);
  }
  if (first === 'N') throw new SyntaxError('characters by their Unicode name (\\N) are not supported');
  return CHARACTERS[sequence] ?? (/[\\'"]/.test(sequence) ? sequence : written);
}
