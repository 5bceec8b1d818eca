import { callArguments } from './call-arguments.ts';
import { stringLiteral, type TemplateNode } from './template-node.ts';
import type { TokenReader } from './token-reader.ts';

/** Words behind a test that are no argument of it. */
const NO_ARGUMENT = ['and', 'or', 'else', 'if', 'is', 'in', 'not', 'recursive'];
const COMPARISONS = ['==', '!=', '<', '>', '<=', '>='];
/** Each binds closer than those before it. */
const ARITHMETIC = [['+', '-'], ['~'], ['*', '/', '//', '%'], ['**']];

/** Parses expressions with the precedence of Jinja 3's parser, which is not everywhere Python's. */
export class ExpressionParser {
  readonly #tokens: TokenReader;

  constructor(tokens: TokenReader) {
    this.#tokens = tokens;
  }

  /** @throws SyntaxError */
  expression(): TemplateNode {
    let value = this.#or();
    while (this.#tokens.skip('name', 'if')) {
      const condition = this.#or();
      const falseExpr = this.#tokens.skip('name', 'else') ? this.expression() : null;
      value = { type: 'Ternary', condition, trueExpr: value, falseExpr };
    }
    return value;
  }

  /** An expression, or several with commas between them, which make a tuple. */
  sequence(isConditional = true): TemplateNode {
    return this.#tuple(() => (isConditional ? this.expression() : this.#or()), false);
  }

  /** What a value can be given to: a name, a field of a namespace, or a tuple of such. @throws SyntaxError */
  target(): TemplateNode {
    const target = this.#tuple(() => this.#targetPart(), false);
    if (!isTarget(target)) throw new SyntaxError(`can't assign to ${target.type}`);
    return target;
  }

  /** The filters that follow, behind a value. */
  filters(value: TemplateNode): TemplateNode {
    let filtered = value;
    while (this.#tokens.skip('operator', '|')) filtered = this.filter(filtered);
    return filtered;
  }

  /** A filter by its name, with its arguments. */
  filter(operand: TemplateNode): TemplateNode {
    const name = this.#tokens.name();
    const filter = this.#tokens.is('operator', '(')
      ? { type: 'CallExpression', callee: name, args: callArguments(this.#tokens, () => this.expression()) }
      : name;
    return { type: 'FilterExpression', operand, filter };
  }

  #targetPart(): TemplateNode {
    const value = this.#primary();
    if (value.type !== 'Identifier' || !this.#tokens.skip('operator', '.')) return value;
    return { type: 'MemberExpression', object: value, property: this.#tokens.name(), computed: false };
  }

  #tuple(part: () => TemplateNode, mayBeEmpty: boolean): TemplateNode {
    const parts: TemplateNode[] = [];
    let isTuple = false;
    while (!this.#endsTuple()) {
      parts.push(part());
      if (!this.#tokens.skip('operator', ',')) break;
      isTuple = true;
    }
    const [only] = parts;
    if (!isTuple && only !== undefined) return only;
    if (!isTuple && !mayBeEmpty) throw new SyntaxError(`expected an expression, got ${this.#tokens.described()}`);
    return { type: 'TupleLiteral', value: parts };
  }

  #endsTuple(): boolean {
    const tokens = this.#tokens;
    return tokens.is('printEnd') || tokens.is('blockEnd') || tokens.is('operator', ')') || tokens.isWord('in');
  }

  #or(): TemplateNode {
    return this.#leftToRight(
      () => this.#and(),
      () => this.#tokens.isWord('or'),
    );
  }

  #and(): TemplateNode {
    return this.#leftToRight(
      () => this.#not(),
      () => this.#tokens.isWord('and'),
    );
  }

  #not(): TemplateNode {
    if (!this.#tokens.isWord('not')) return this.#comparison();
    return { type: 'UnaryExpression', operator: this.#tokens.next(), argument: this.#not() };
  }

  /** `a < b < c` asks both, as in Python. */
  #comparison(): TemplateNode {
    const first = this.#arithmetic();
    const links: TemplateNode[] = [];
    for (let operator = this.#comparing(); operator !== null; operator = this.#comparing()) {
      links.push({ type: 'Comparison', operator: { value: operator }, right: this.#arithmetic() });
    }
    const [link] = links;
    if (link === undefined) return first;
    if (links.length === 1) return { ...link, type: 'BinaryExpression', left: first };
    return { type: 'ChainedComparison', first, links };
  }

  #comparing(): string | null {
    const tokens = this.#tokens;
    if (tokens.isOperator(...COMPARISONS) || tokens.isWord('in')) return tokens.next().value;
    if (!tokens.isWord('not') || !tokens.isNext('name', 'in')) return null;
    tokens.next();
    tokens.next();
    return 'not in';
  }

  #arithmetic(level = 0): TemplateNode {
    const operators = ARITHMETIC[level];
    if (operators === undefined) return this.#unary(true);
    return this.#leftToRight(
      () => this.#arithmetic(level + 1),
      () => this.#tokens.isOperator(...operators),
    );
  }

  #leftToRight(operand: () => TemplateNode, isOperator: () => boolean): TemplateNode {
    let left = operand();
    while (isOperator()) {
      const operator = this.#tokens.next();
      left = { type: 'BinaryExpression', operator, left, right: operand() };
    }
    return left;
  }

  #unary(hasFilters: boolean): TemplateNode {
    const signed = this.#tokens.isOperator('-', '+');
    const value = signed
      ? { type: 'UnaryExpression', operator: this.#tokens.next(), argument: this.#unary(false) }
      : this.#primary();
    const member = this.#members(value);
    return hasFilters ? this.#filtersAndTests(member) : member;
  }

  #filtersAndTests(value: TemplateNode): TemplateNode {
    let result = value;
    for (;;) {
      if (this.#tokens.is('operator', '|')) result = this.filters(result);
      else if (this.#tokens.skip('name', 'is')) result = this.#test(result);
      else if (this.#tokens.is('operator', '(')) result = this.#call(result);
      else return result;
    }
  }

  #test(operand: TemplateNode): TemplateNode {
    const negate = this.#tokens.skip('name', 'not');
    const test = this.#tokens.name();
    return { type: 'TestExpression', operand, negate, test, args: this.#testArguments() };
  }

  /** In brackets, or one value without (`is divisibleby 2`). */
  #testArguments(): TemplateNode[] {
    const tokens = this.#tokens;
    if (tokens.is('operator', '(')) return callArguments(this.#tokens, () => this.expression());
    const isArgument =
      tokens.isOperator('[', '{') ||
      ['string', 'integer', 'float'].includes(tokens.current.kind) ||
      (tokens.is('name') && !tokens.isWord(...NO_ARGUMENT));
    return isArgument ? [this.#members(this.#primary())] : [];
  }

  #members(value: TemplateNode): TemplateNode {
    let result = value;
    for (;;) {
      if (this.#tokens.skip('operator', '.')) result = this.#field(result);
      else if (this.#tokens.is('operator', '[')) result = this.#item(result);
      else if (this.#tokens.is('operator', '(')) result = this.#call(result);
      else return result;
    }
  }

  #field(object: TemplateNode): TemplateNode {
    const property = this.#tokens.is('integer') ? this.#primary() : this.#tokens.name();
    return { type: 'MemberExpression', object, property, computed: false };
  }

  #item(object: TemplateNode): TemplateNode {
    const keys: TemplateNode[] = [];
    this.#tokens.list('[', ']', () => keys.push(this.#key()));
    const [only] = keys;
    if (only === undefined) throw new SyntaxError('expected an item or a slice');
    const property = keys.length === 1 ? only : { type: 'TupleLiteral', value: keys };
    return { type: 'MemberExpression', object, property, computed: true };
  }

  #key(): TemplateNode {
    const bounds: (TemplateNode | undefined)[] = [];
    do {
      const isMissing = this.#tokens.isOperator(':', ']', ',');
      bounds.push(isMissing ? undefined : this.expression());
    } while (bounds.length < 3 && this.#tokens.skip('operator', ':'));
    const [start, stop, step] = bounds;
    if (bounds.length > 1) return { type: 'SliceExpression', start, stop, step };
    if (start === undefined) throw new SyntaxError(`unexpected ${this.#tokens.described()}`);
    return start;
  }

  #call(callee: TemplateNode): TemplateNode {
    return { type: 'CallExpression', callee, args: callArguments(this.#tokens, () => this.expression()) };
  }

  #primary(): TemplateNode {
    const tokens = this.#tokens;
    const { kind, value } = tokens.current;
    if (kind === 'name') return tokens.name();
    if (kind === 'string') return this.#strings();
    if (kind === 'integer') return { type: 'IntegerLiteral', value: Number(plainDigits(tokens.next().value)) };
    if (kind === 'float') return { type: 'FloatLiteral', value: Number(plainDigits(tokens.next().value)) };
    if (tokens.skip('operator', '(')) {
      const inner = this.#tuple(() => this.expression(), true);
      tokens.expect('operator', ')');
      return inner;
    }
    if (kind === 'operator' && value === '[') {
      const items: TemplateNode[] = [];
      this.#tokens.list('[', ']', () => items.push(this.expression()));
      return { type: 'ArrayLiteral', value: items };
    }
    if (kind === 'operator' && value === '{') return this.#dict();
    throw new SyntaxError(`unexpected ${tokens.described()}`);
  }

  #strings(): TemplateNode {
    let text = '';
    while (this.#tokens.is('string')) text += this.#tokens.next().value;
    return stringLiteral(text);
  }

  #dict(): TemplateNode {
    const entries = new Map<TemplateNode, TemplateNode>();
    this.#tokens.list('{', '}', () => {
      const key = this.expression();
      this.#tokens.expect('operator', ':');
      entries.set(key, this.expression());
    });
    return { type: 'ObjectLiteral', value: entries };
  }
}

function isTarget({ type, value }: TemplateNode): boolean {
  if (type === 'TupleLiteral') return (value as TemplateNode[]).every(isTarget);
  return type === 'Identifier' || type === 'MemberExpression';
}

/** Python writes `1_000`. */
function plainDigits(number: string): string {
  return number.replaceAll('_', '');
}
