import type { TemplateEnvironment, TemplateNode } from './template-library.ts';

/** A list in the template library's own type. */
interface ListValue {
  readonly value: readonly { __bool__(): { readonly value: boolean } }[];
}

/** Jinja's filters that keep the items of a list which pass a test, or which do not; the library lacks them. */
export const SELECT_FILTERS: ReadonlySet<string> = new Set(['select', 'reject']);

/**
 * `list | select('equalto', x)` and `list | reject(…)`; without a test an item passes when it is true.
 * https://jinja.palletsprojects.com/en/stable/templates/#jinja-filters.select
 * @throws Error when the operand is no list or the test is unknown
 */
export function selectItems(
  filter: string,
  operand: unknown,
  args: readonly unknown[],
  environment: TemplateEnvironment,
): unknown {
  if (!isList(operand)) {
    throw new Error(`the filter "${filter}" needs a list`);
  }
  const [test, ...rest] = args;
  const name = test === undefined ? null : String((test as { value: unknown }).value);
  const passes = name === null ? null : environment.tests.get(name);
  if (passes === undefined) {
    throw new Error(`unknown test "${name}" in the filter "${filter}"`);
  }
  const kept = operand.value.filter((item) => {
    const result = passes === null ? item.__bool__().value : passes(item, ...rest);
    return result === (filter === 'select');
  });
  const List = operand.constructor as new (value: unknown[]) => unknown;
  return new List(kept);
}

function isList(value: unknown): value is ListValue {
  return typeof value === 'object' && value !== null && 'value' in value && Array.isArray(value.value);
}

/** The argument expressions of a filter, none when it is written without parentheses. */
export function filterArguments(node: TemplateNode): readonly TemplateNode[] {
  const filter = node.filter as TemplateNode;
  return filter.type === 'CallExpression' ? (filter.args as TemplateNode[]) : [];
}
