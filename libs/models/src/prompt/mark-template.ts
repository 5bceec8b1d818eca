import type { TemplateNode } from './syntax/template-node.ts';

/** Operators whose operands are compared, not written. */
const COMPARISONS = new Set(['==', '!=', '<', '>', '<=', '>=', 'in', 'not in']);
/** Filters whose arguments end up in the output. All other filters' arguments are patterns and options. */
const WRITING_FILTERS = new Set(['default', 'd', 'format', 'join']);
/** The same of methods; `append` and its like are none of a template's. */
const WRITING_METHODS = new Set(['format', 'get', 'join']);
/** Fields that decide or select and never reach the output, by node type. */
const DECIDING_FIELDS: Readonly<Record<string, readonly string[]>> = {
  If: ['test'],
  For: ['test'],
  Ternary: ['condition'],
  TestExpression: ['operand', 'test', 'args'],
  ChainedComparison: ['first', 'links'],
  UnaryExpression: ['argument'],
  MemberExpression: ['property'],
};

/**
 * Rewrites the string literals of a parsed template that can be written to the output. Literals that are only compared
 * with or searched in other strings (`'<tool>' in content`, `content.split('</think>')`) stay as they are, because the
 * strings of the conversation are not marked.
 */
export function markTemplate(node: unknown, mark: (literal: string) => string): void {
  if (Array.isArray(node)) {
    for (const child of node) {
      markTemplate(child, mark);
    }
  } else if (node instanceof Map) {
    for (const value of node.values()) {
      markTemplate(value, mark); // keys of an object literal are names
    }
  } else if (isTemplateNode(node)) {
    markNode(node, mark);
  }
}

function markNode(node: TemplateNode, mark: (literal: string) => string): void {
  if (node.type === 'StringLiteral' && typeof node.value === 'string') {
    Object.assign(node, { value: mark(node.value) });
    return;
  }
  if (node.type === 'BinaryExpression' && COMPARISONS.has(operatorOf(node))) {
    return;
  }
  if (node.type === 'CallExpression' && isTemplateNode(node.callee) && node.callee.type === 'MemberExpression') {
    markTemplate(node.callee, mark); // a method of a string: its arguments are patterns, unless it writes them
    if (WRITING_METHODS.has(String((node.callee.property as TemplateNode).value))) markTemplate(node.args, mark);
    return;
  }
  if (node.type === 'FilterExpression') {
    markTemplate(node.operand, mark);
    if (WRITING_FILTERS.has(filterName(node))) {
      markTemplate((node.filter as TemplateNode).args, mark);
    }
    return;
  }
  const deciding = DECIDING_FIELDS[node.type] ?? [];
  for (const [field, child] of Object.entries(node)) {
    if (!deciding.includes(field)) {
      markTemplate(child, mark);
    }
  }
}

/** Every node of a parsed template, parents first. */
export function* templateNodes(node: unknown): Generator<TemplateNode> {
  if (Array.isArray(node)) {
    for (const child of node) {
      yield* templateNodes(child);
    }
  } else if (node instanceof Map) {
    yield* templateNodes([...node.keys(), ...node.values()]);
  } else if (isTemplateNode(node)) {
    yield node;
    yield* templateNodes(Object.values(node));
  }
}

/** The name of the filter that a FilterExpression applies. */
export function filterName(node: TemplateNode): string {
  const filter = node.filter as TemplateNode;
  const identifier = filter.type === 'CallExpression' ? (filter.callee as TemplateNode) : filter;
  return String(identifier.value);
}

function operatorOf(node: TemplateNode): string {
  return String((node.operator as { value: unknown }).value);
}

/** Whether a value is a node of a parsed template. */
export function isTemplateNode(value: unknown): value is TemplateNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
