/** A node of a template's syntax tree: a statement, an expression, or text (a StringLiteral). */
export interface TemplateNode {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A name in the template, of a variable, a filter, a test or an argument. */
export function identifier(value: string): TemplateNode {
  return { type: 'Identifier', value };
}

/** Text that a template writes as it stands, or a string in an expression. */
export function stringLiteral(value: string): TemplateNode {
  return { type: 'StringLiteral', value };
}
