import { JINJA_FUNCTIONS } from './jinja/jinja-globals.ts';
import { isTemplateNode, templateNodes } from './mark-template.ts';
import type { TemplateNode } from './syntax/template-node.ts';

/** What every rendering gives a template, and what is part of the language; never a caller's to set. */
const GIVEN = new Set(
  'messages tools documents add_generation_prompt loop caller true false none True False None'.split(' '),
);

/** Fields that hold names of members, filters, tests and arguments instead of variables, by node type. */
const NAMING_FIELDS: Readonly<Record<string, readonly string[]>> = {
  TestExpression: ['test'],
  KeywordArgumentExpression: ['key'],
  BinaryExpression: ['operator'],
  UnaryExpression: ['operator'],
};

/**
 * The names that a template reads from outside: those that a caller can set. A name that the template itself sets counts
 * where it is asked whether it is defined, as `enable_thinking` often is before it gets its default. The name of a function
 * counts where it is read as a value, neither called nor asked for.
 */
export function templateVariables(program: TemplateNode, templateTokens: Readonly<Record<string, string>>): string[] {
  const read = new Set<string>();
  const own = new Set<string>();
  const local = new Set<string>();
  const asked = new Set<string>();
  collectReads(program, read);
  for (const node of templateNodes(program)) {
    if (node.type === 'Set') addNames(node.assignee, own);
    if (node.type === 'For') addNames(node.loopvar, local);
    if (node.type === 'Macro') addNames([node.name, node.args], local);
    if (node.type === 'CallStatement') addNames(node.callerArgs, local);
    if (node.type === 'With') addNames(node.targets, local);
    const asks = asksDefined(node) || nameOf(node.filter) === 'default';
    if (asks && isTemplateNode(node.operand) && node.operand.type === 'Identifier') addNames(node.operand, asked);
  }
  return [...read]
    .filter((name) => !GIVEN.has(name) && !name.endsWith('_token') && !Object.hasOwn(templateTokens, name))
    .filter((name) => !local.has(name) && (!own.has(name) || asked.has(name)))
    .sort();
}

function collectReads(node: unknown, read: Set<string>): void {
  if (Array.isArray(node)) {
    for (const child of node) collectReads(child, read);
  } else if (node instanceof Map) {
    collectReads([...node.values()], read);
  } else if (isTemplateNode(node)) {
    if (node.type === 'Identifier') read.add(String(node.value));
    for (const [field, child] of Object.entries(node)) {
      if (usesFunction(node, field, child)) continue;
      if (field === 'filter') collectReads((child as TemplateNode).args, read);
      else if (node.type === 'MemberExpression' && field === 'property' && node.computed !== true) continue;
      else if (!(NAMING_FIELDS[node.type] ?? []).includes(field)) collectReads(child, read);
    }
  }
}

/** Whether a node calls one of Jinja's functions, or asks whether there is one: `strftime_now is defined`. */
function usesFunction(node: TemplateNode, field: string, child: unknown): boolean {
  const uses = (node.type === 'CallExpression' && field === 'callee') || (asksDefined(node) && field === 'operand');
  return uses && isTemplateNode(child) && child.type === 'Identifier' && JINJA_FUNCTIONS.has(String(child.value));
}

function asksDefined(node: TemplateNode): boolean {
  return node.type === 'TestExpression' && /defined/.test(nameOf(node.test));
}

function addNames(node: unknown, names: Set<string>): void {
  const nodes = Array.isArray(node) ? node.flatMap((one) => [...templateNodes(one)]) : [...templateNodes(node)];
  for (const one of nodes) if (one.type === 'Identifier') names.add(String(one.value));
}

function nameOf(node: unknown): string {
  const named = isTemplateNode(node) && node.type === 'CallExpression' ? node.callee : node;
  return isTemplateNode(named) ? String(named.value) : '';
}
