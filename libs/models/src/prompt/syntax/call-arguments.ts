import type { TemplateNode } from './template-node.ts';
import type { TokenReader } from './token-reader.ts';

/** The arguments of a call, in its brackets. @throws SyntaxError where their order is none of Jinja's */
export function callArguments(tokens: TokenReader, expression: () => TemplateNode): TemplateNode[] {
  const given: TemplateNode[] = [];
  tokens.list('(', ')', () => given.push(argument(tokens, expression, given)));
  return given;
}

/** The parameters of a macro, in their brackets. @throws SyntaxError */
export function parameters(tokens: TokenReader, expression: () => TemplateNode): TemplateNode[] {
  const known: TemplateNode[] = [];
  tokens.list('(', ')', () => {
    const key = tokens.name();
    const isOptional = tokens.skip('operator', '=');
    if (!isOptional && known.at(-1)?.type === 'KeywordArgumentExpression') {
      throw new SyntaxError('non-default argument follows default argument');
    }
    known.push(isOptional ? { type: 'KeywordArgumentExpression', key, value: expression() } : key);
  });
  return known;
}

function argument(tokens: TokenReader, expression: () => TemplateNode, given: readonly TemplateNode[]): TemplateNode {
  const has = (type: string): boolean => given.some((before) => before.type === type);
  const isKeyword = tokens.is('name') && tokens.isNext('operator', '=');
  const isPositional = !isKeyword && !tokens.isOperator('*', '**');
  const isMisplaced =
    has('KeywordSpreadExpression') ||
    (!isKeyword && !tokens.isOperator('**') && has('SpreadExpression')) ||
    (isPositional && has('KeywordArgumentExpression'));
  if (isMisplaced) throw new SyntaxError('invalid syntax for function call expression');
  if (tokens.skip('operator', '**')) return { type: 'KeywordSpreadExpression', argument: expression() };
  if (tokens.skip('operator', '*')) return { type: 'SpreadExpression', argument: expression() };
  if (!isKeyword) return expression();
  const key = tokens.name();
  tokens.next();
  return { type: 'KeywordArgumentExpression', key, value: expression() };
}
