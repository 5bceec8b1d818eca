import { identifier, type TemplateNode } from './template-node.ts';
import type { TemplateToken, TokenKind } from './template-token.ts';

const END: TemplateToken = { kind: 'text', value: 'the end of the template' };

/** Where a parser is in the tokens of a template. */
export class TokenReader {
  readonly #tokens: readonly TemplateToken[];
  #position = 0;

  constructor(tokens: readonly TemplateToken[]) {
    this.#tokens = tokens;
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#tokens.length;
  }

  get current(): TemplateToken {
    return this.#tokens[this.#position] ?? END;
  }

  next(): TemplateToken {
    const token = this.current;
    this.#position += 1;
    return token;
  }

  is(kind: TokenKind, value?: string): boolean {
    return isToken(this.current, kind, value);
  }

  /** Whether the token behind the current one is this. */
  isNext(kind: TokenKind, value: string): boolean {
    return isToken(this.#tokens[this.#position + 1] ?? END, kind, value);
  }

  isWord(...words: readonly string[]): boolean {
    return this.current.kind === 'name' && words.includes(this.current.value);
  }

  isOperator(...operators: readonly string[]): boolean {
    return this.current.kind === 'operator' && operators.includes(this.current.value);
  }

  /** Goes behind the current token where it is this. */
  skip(kind: TokenKind, value: string): boolean {
    const skips = this.is(kind, value);
    if (skips) this.#position += 1;
    return skips;
  }

  /** @throws SyntaxError where the current token is another */
  expect(kind: TokenKind, value?: string): TemplateToken {
    if (!this.is(kind, value)) throw new SyntaxError(`expected ${value ?? kind}, got ${this.described()}`);
    return this.next();
  }

  /** @throws SyntaxError where no name follows */
  name(): TemplateNode {
    return identifier(this.expect('name').value);
  }

  /** Items between brackets, with commas between them, and perhaps behind the last. */
  list(open: string, close: string, item: () => void): void {
    this.expect('operator', open);
    while (!this.skip('operator', close)) {
      item();
      if (!this.is('operator', close)) this.expect('operator', ',');
    }
  }

  described(): string {
    const { kind, value } = this.current;
    return value === '' ? kind : `'${value.slice(0, 40)}'`;
  }
}

function isToken(token: TemplateToken, kind: TokenKind, value?: string): boolean {
  return token.kind === kind && (value === undefined || token.value === value);
}
