import type { Expression } from '../grammar-rules.ts';

/** Parts that an expression is made of, those of the rules that it refers to not among them. */
export function weightOf(expression: Expression): number {
  switch (expression.kind) {
    case 'text':
      return expression.text.length;
    case 'automaton':
      return expression.automaton.length;
    case 'sequence':
    case 'choice':
      return expression.parts.reduce((sum, part) => sum + weightOf(part), 0);
    case 'repeat':
    case 'loop':
    case 'shallow':
      return 1 + weightOf(expression.part);
    case 'rule':
      return 1;
  }
}
