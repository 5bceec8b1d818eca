import type { TemplateToken } from './template-library.ts';

/** Begins the name of the filter that stands for a test with an argument. */
export const TEST_FILTER = 'is test ';
export const NEGATED_TEST_FILTER = 'is not test ';

/** Words behind a test that are no argument of it. */
const OPERATORS = new Set(['and', 'or', 'else', 'if', 'is', 'in', 'not', 'recursive']);
const SINGLE = new Set(['StringLiteral', 'NumericLiteral', 'Identifier']);
const [OPEN, CLOSE] = [
  { type: 'OpenParen', value: '(' },
  { type: 'CloseParen', value: ')' },
];

/**
 * The tokens with every test that has an argument (`is divisibleby(2)`, `is in ['a']`, `is eq 'a'`), which the library does not
 * parse, as a filter of a name that no template can write.
 */
export function withTestArguments(tokens: readonly TemplateToken[]): TemplateToken[] {
  const result: TemplateToken[] = [];
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] as TemplateToken;
    const isNegated = isWord(tokens[at + 1], 'not');
    const name = tokens[at + (isNegated ? 2 : 1)];
    const from = at + (isNegated ? 3 : 2);
    const end = isWord(token, 'is') && name?.type === 'Identifier' ? argumentEnd(tokens, from) : from;
    if (end === from || name === undefined) {
      result.push(token);
      continue;
    }
    const argument =
      tokens[from]?.type === 'OpenParen' ? tokens.slice(from, end) : [OPEN, ...tokens.slice(from, end), CLOSE];
    const filter = (isNegated ? NEGATED_TEST_FILTER : TEST_FILTER) + name.value;
    result.push({ type: 'Pipe', value: '|' }, { type: 'Identifier', value: filter }, ...(argument as TemplateToken[]));
    at = end - 1;
  }
  return result;
}

/** Behind the argument that begins at a token; the token itself where none does. */
function argumentEnd(tokens: readonly TemplateToken[], from: number): number {
  const first = tokens[from];
  if (first?.type === 'OpenParen' || first?.type === 'OpenSquareBracket') {
    let depth = 0;
    for (let at = from; at < tokens.length; at += 1) {
      const type = tokens[at]?.type ?? '';
      if (/^Open(Paren|SquareBracket|CurlyBracket)$/.test(type)) depth += 1;
      if (/^Close(Paren|SquareBracket|CurlyBracket)$/.test(type)) depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  const isArgument =
    first !== undefined && SINGLE.has(first.type) && !(first.type === 'Identifier' && OPERATORS.has(first.value));
  return isArgument ? from + 1 : from;
}

function isWord(token: TemplateToken | undefined, word: string): boolean {
  return token?.type === 'Identifier' && token.value === word;
}
