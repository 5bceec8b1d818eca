import type { Flow, Network } from './flows.ts';

/** The Mermaid picture of a network: one node a peer, one arrow a pair, with the ports and what they are for. */
export function picture({ peers, flows }: Network): string {
  const nodes = Object.entries(peers).map(([name, { label, pods, namespace, cidr }]) => {
    const own = pods !== undefined && namespace === undefined;
    return `    ${idOf(name)}${own ? `[${label}]` : `([${label}${cidr === undefined ? '' : `<br>${cidr}`}])`}`;
  });
  const pairs = new Map<string, Flow[]>();
  for (const flow of flows) {
    const key = `    ${idOf(flow.from)} -- LABEL --> ${idOf(flow.to)}`;
    pairs.set(key, [...(pairs.get(key) ?? []), flow]);
  }
  const arrows = [...pairs].map(([key, group]) => {
    const ports = [...new Set(group.map(({ port }) => port))].join(', ');
    const purposes = [...new Set(group.map(({ what }) => what))].join(', ');
    return key.replace('LABEL', `"${ports}: ${purposes}"`);
  });
  return ['flowchart LR', ...nodes, ...arrows].join('\n');
}

function idOf(name: string): string {
  return name.replaceAll('-', '_');
}
