import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../kustomize/kubernetes-object.ts';
import { render } from '../kustomize/render.ts';
import { allowedFlows, unprotected } from './allowed-flows.ts';
import { flowText, readNetwork } from './flows.ts';
import { picture } from './picture.ts';

const k8s = fileURLToPath(new URL('../../../k8s/overlays/', import.meta.url));
const overlays = readdirSync(k8s);
const network = readNetwork();
const flowsOf = (overlay: string) =>
  network.flows
    .filter((flow) => flow.overlays?.includes(overlay) ?? true)
    .map(flowText)
    .sort();

describe.each(overlays)('the NetworkPolicies of %s', (overlay) => {
  const objects = render(`${k8s}${overlay}`);

  it('allow exactly the flows of the architecture picture', () => {
    expect(allowedFlows(objects, network)).toEqual(flowsOf(overlay));
    expect(unprotected(objects)).toBe(false);
  });

  it.each(objects.filter(({ kind }) => kind === 'NetworkPolicy').map(({ metadata }) => metadata.name))(
    'are all needed: without %s a flow is missing, or everything is allowed',
    (name) => {
      const rest = objects.filter(({ kind, metadata }) => kind !== 'NetworkPolicy' || metadata.name !== name);
      expect(unprotected(rest) || allowedFlows(rest, network).length < flowsOf(overlay).length).toBe(true);
    },
  );
});

describe('the check of NetworkPolicies', () => {
  const objects = render(`${k8s}staging`);
  const policy = (spec: object): KubernetesObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'extra' },
    spec,
  });
  const worker = { matchLabels: { 'app.kubernetes.io/name': 'millrace-worker' } };
  const api = { matchLabels: { 'app.kubernetes.io/name': 'millrace-api' } };
  const withPolicy = (spec: object) => allowedFlows([...objects, policy(spec)], network);

  it('finds a flow that only one end allows to be none', () => {
    const ingress = [{ from: [{ podSelector: worker }], ports: [{ protocol: 'TCP', port: 8000 }] }];
    expect(withPolicy({ podSelector: api, policyTypes: ['Ingress'], ingress })).toEqual(flowsOf('staging'));
  });

  it('finds a flow that both ends allow', () => {
    const rule = [{ ports: [{ protocol: 'TCP', port: 8000 }] }];
    const both = [
      policy({
        podSelector: api,
        policyTypes: ['Ingress'],
        ingress: [{ ...rule[0], from: [{ podSelector: worker }] }],
      }),
      policy({ podSelector: worker, policyTypes: ['Egress'], egress: [{ ...rule[0], to: [{ podSelector: api }] }] }),
    ];
    expect(allowedFlows([...objects, ...both], network)).toContain('worker → api TCP 8000');
  });

  it.each([
    ['everybody', { egress: [{ ports: [{ port: 443 }] }] }],
    ['every port', { egress: [{ to: [{ podSelector: api }] }] }],
    ['all pods of the namespace', { egress: [{ to: [{ podSelector: {} }], ports: [{ port: 443 }] }] }],
    ['another network', { egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }], ports: [{ port: 443 }] }] }],
    [
      'a whole namespace',
      {
        ingress: [
          {
            from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
            ports: [{ port: 8002 }],
          },
        ],
      },
    ],
    ['ports by name', { egress: [{ to: [{ podSelector: api }], ports: [{ port: 'http' }] }] }],
  ])('does not let a policy pass that allows %s', (_, rules) => {
    const policyTypes = Object.keys(rules).map((key) => (key === 'egress' ? 'Egress' : 'Ingress'));
    expect(() => withPolicy({ podSelector: worker, policyTypes, ...rules })).toThrow(/NetworkPolicy extra/);
  });
});

it('docs/architecture/network.md shows the picture of flows.yaml (node tools/deploy/network/draw.ts draws it)', () => {
  const page = readFileSync(new URL('../../../docs/architecture/network.md', import.meta.url), 'utf8');
  expect(page).toContain(`\`\`\`mermaid\n${picture(network)}\n\`\`\``);
});
