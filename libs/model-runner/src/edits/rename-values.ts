import type { Node } from '../signature/value-info.ts';

/**
 * Gives values of a node other names, in its branches and loops as well.
 * @returns whether it has any of them
 */
export function renameValues(node: Node, names: ReadonlyMap<string, string>): boolean {
  const hasAny = [...(node.input ?? []), ...(node.output ?? [])].some((name) => names.has(name));
  if (hasAny) {
    const renamed = (list: string[] | null | undefined) => (list ?? []).map((name) => names.get(name) ?? name);
    Object.assign(node, { input: renamed(node.input), output: renamed(node.output) });
  }
  const branches = (node.attribute ?? []).flatMap(({ g }) => (g ? [g] : []));
  const inBranches = branches.map(({ node: nodes, output }) => {
    const inNodes = (nodes ?? []).map((inner) => renameValues(inner, names));
    // What a branch gives may be a value of the graph around it.
    const outputs = (output ?? []).filter(({ name }) => names.has(name ?? ''));
    for (const value of outputs) value.name = names.get(value.name ?? '') ?? '';
    return inNodes.includes(true) || outputs.length > 0;
  });
  return hasAny || inBranches.includes(true);
}
