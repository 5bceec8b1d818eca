import type { KubernetesObject } from '../kustomize/kubernetes-object.ts';
import { flowText, type Labels, type Network, type Peer } from './flows.ts';

interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}
interface PolicyPeer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}
interface Rule {
  readonly from?: readonly PolicyPeer[];
  readonly to?: readonly PolicyPeer[];
  readonly ports?: readonly {
    readonly protocol?: string;
    readonly port?: number | string;
    readonly endPort?: number;
  }[];
}
interface Policy {
  readonly podSelector: Selector;
  readonly policyTypes: readonly ('Ingress' | 'Egress')[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}
type Port = { readonly protocol: 'TCP' | 'UDP'; readonly port: number };

/**
 * The flows that the NetworkPolicies among `objects` allow between the peers of `network`, as texts: a flow has to be let
 * out of where it comes from and into where it goes; only the ends in the cluster's own namespace are asked.
 * @throws Error naming the policy that allows a peer or a port that the network does not know, or all of them
 */
export function allowedFlows(objects: readonly KubernetesObject[], network: Network): string[] {
  const policies = objects
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map((object) => ({ name: object.metadata.name, spec: object.spec as Policy }));
  const peers = Object.entries(network.peers).filter(([, peer]) => exists(peer, objects));
  const ports = policies.flatMap(({ name, spec }) => portsOf(name, spec));
  for (const { name, spec } of policies) requireKnownPeers(name, spec, Object.values(network.peers));

  const flows = new Set<string>();
  for (const [from, source] of peers) {
    for (const [to, target] of peers) {
      if (!isOwn(source) && !isOwn(target)) continue;
      for (const port of ports) {
        const lets = (peer: Peer, other: Peer, direction: 'Ingress' | 'Egress') =>
          !isOwn(peer) || policies.some(({ spec }) => allows(spec, direction, peer, other, port));
        if (lets(source, target, 'Egress') && lets(target, source, 'Ingress'))
          flows.add(flowText({ from, to, ...port }));
      }
    }
  }
  return [...flows].sort();
}

/** Own pods that no policy selects may do anything. */
export function unprotected(objects: readonly KubernetesObject[]): boolean {
  return !objects.some(({ kind, spec }) => {
    const policy = spec as Policy;
    return kind === 'NetworkPolicy' && Object.keys(policy.podSelector).length === 0 && policy.policyTypes.length === 2;
  });
}

function isOwn(peer: Peer): boolean {
  return peer.pods !== undefined && peer.namespace === undefined;
}

function exists(peer: Peer, objects: readonly KubernetesObject[]): boolean {
  if (!isOwn(peer)) return true;
  return objects.some((object) => {
    const labels = (object.spec as { template?: { metadata: { labels: Labels } } } | undefined)?.template?.metadata
      .labels;
    return labels !== undefined && matches({ matchLabels: peer.pods ?? {} }, labels);
  });
}

function allows(policy: Policy, direction: 'Ingress' | 'Egress', peer: Peer, other: Peer, port: Port): boolean {
  if (!policy.policyTypes.includes(direction) || !matches(policy.podSelector, peer.pods ?? {})) return false;
  const rules = (direction === 'Ingress' ? policy.ingress : policy.egress) ?? [];
  return rules.some(
    (rule) =>
      rule.ports?.some((each) => (each.protocol ?? 'TCP') === port.protocol && each.port === port.port) &&
      (direction === 'Ingress' ? rule.from : rule.to)?.some((each) => isPeer(each, other)),
  );
}

function isPeer(allowed: PolicyPeer, peer: Peer): boolean {
  if (allowed.ipBlock !== undefined) return allowed.ipBlock.cidr === peer.cidr && allowed.ipBlock.except === undefined;
  if (peer.cidr !== undefined) return false;
  if (allowed.namespaceSelector === undefined) {
    return peer.namespace === undefined && matches(allowed.podSelector ?? {}, peer.pods ?? {});
  }
  return (
    peer.namespace !== undefined &&
    matches(allowed.namespaceSelector, peer.namespace) &&
    // Without a selector of pods the whole namespace is meant.
    (allowed.podSelector === undefined || matches(allowed.podSelector, peer.pods ?? {}))
  );
}

function matches(selector: Selector, labels: Labels): boolean {
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  const within = (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    if (operator !== 'In') throw new Error(`The operator ${operator} of a NetworkPolicy is not known to this check.`);
    return values.includes(labels[key] ?? '');
  });
  return equal && within;
}

function portsOf(name: string, policy: Policy): Port[] {
  return [...(policy.ingress ?? []), ...(policy.egress ?? [])].flatMap((rule) => {
    if (rule.ports === undefined) throw new Error(`NetworkPolicy ${name} allows every port; name them.`);
    return rule.ports.map(({ protocol = 'TCP', port, endPort }) => {
      if (typeof port !== 'number' || endPort !== undefined)
        throw new Error(`NetworkPolicy ${name}: name ports by number, one by one.`);
      return { protocol: protocol as Port['protocol'], port };
    });
  });
}

/** A policy that allows somebody who is not in the picture allows a flow that is not in it either. */
function requireKnownPeers(name: string, policy: Policy, peers: readonly Peer[]): void {
  for (const rule of [...(policy.ingress ?? []), ...(policy.egress ?? [])]) {
    const allowed = rule.from ?? rule.to;
    if (allowed === undefined || allowed.length === 0)
      throw new Error(`NetworkPolicy ${name} allows everybody; name them.`);
    for (const each of allowed) {
      // The picture must name exactly these labels: a policy may not be wider than its peer.
      const exact = peers.some((peer) => isPeer(each, peer) && sameLabels(each, peer));
      if (!exact)
        throw new Error(
          `NetworkPolicy ${name} allows ${JSON.stringify(each)}, which docs/architecture/flows.yaml does not know.`,
        );
    }
  }
}

function sameLabels(allowed: PolicyPeer, peer: Peer): boolean {
  if (allowed.ipBlock !== undefined) return true;
  const same = (selector: Selector | undefined, labels: Labels | undefined) =>
    selector?.matchExpressions !== undefined ||
    JSON.stringify(selector?.matchLabels ?? {}) === JSON.stringify(labels ?? {});
  return same(allowed.podSelector, peer.pods) && same(allowed.namespaceSelector, peer.namespace);
}
