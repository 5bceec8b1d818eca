import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from './kustomize/kubernetes-object.ts';
import { render } from './kustomize/render.ts';
import { ManifestValidator } from './schemas/validate.ts';

const k8s = fileURLToPath(new URL('../../k8s/', import.meta.url));
const overlays = readdirSync(`${k8s}overlays`);
const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;
const identity = ({ kind, metadata }: KubernetesObject) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;
const byIdentity = (objects: readonly KubernetesObject[]) =>
  Object.fromEntries(objects.map((each) => [identity(each), each]));

// Untyped: pod templates as they stand in the manifests.
// biome-ignore lint/suspicious/noExplicitAny: only read, by the names of Kubernetes
type Untyped = any;
const workloads = (objects: readonly KubernetesObject[]): Untyped[] =>
  objects.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');

describe.each(['base', ...overlays.map((name) => `overlays/${name}`)])('k8s/%s', (name) => {
  const objects = render(`${k8s}${name}`);

  it.each(['1.33', '1.37'])('is what Kubernetes %s, KEDA and the Prometheus operator take', (release) => {
    const validator = new ManifestValidator(release);
    expect(objects.flatMap((object) => validator.problems(object))).toEqual([]);
    expect(new Set(objects.map(identity)).size).toBe(objects.length);
  });

  // Where there is no kubectl the renderer of tools/deploy is trusted.
  const kubectl = hasKubectl ? it : () => {};
  kubectl('is rendered as kubectl renders it', () => {
    const { stdout, stderr, status } = spawnSync('kubectl', ['kustomize', `${k8s}${name}`], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const rendered = parseAllDocuments(stdout).map((document) => document.toJS() as KubernetesObject);
    expect(byIdentity(objects)).toEqual(byIdentity(rendered));
  });

  it('runs every container without privileges, on a root that can not be written, with requests and a memory limit', () => {
    for (const { spec } of workloads(objects)) {
      const pod = spec.template.spec;
      expect(pod).toMatchObject({
        enableServiceLinks: false,
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(objects.map(identity).join('\n')).toContain(
        `ServiceAccount/${objects.find((o) => o.kind === 'Deployment')?.metadata.namespace ?? ''}/${pod.serviceAccountName}`,
      );
      expect(objects.filter(({ kind }) => kind === 'PriorityClass').map((each) => each.metadata.name)).toContain(
        pod.priorityClassName,
      );
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources.requests).toMatchObject({ cpu: expect.anything(), memory: expect.anything() });
        expect(container.resources.limits.memory).toBeDefined();
        const volumes = new Set(pod.volumes?.map((volume: { name: string }) => volume.name));
        for (const claim of spec.volumeClaimTemplates ?? []) volumes.add(claim.metadata.name);
        for (const mount of container.volumeMounts) expect(volumes).toContain(mount.name);
      }
    }
  });

  it('has Services, budgets, scalers and monitors that find what they are for', () => {
    const pods = workloads(objects).map(({ spec }) => ({
      labels: spec.template.metadata.labels,
      ports: spec.template.spec.containers[0].ports.map((port: { name: string }) => port.name),
    }));
    const matching = (selector: Record<string, string>) =>
      pods.filter(({ labels }) => Object.entries(selector).every(([key, value]) => labels[key] === value));
    for (const object of objects as Untyped[]) {
      const { kind, spec } = object;
      if (kind === 'Service') expect(matching(spec.selector)[0]?.ports).toContain(spec.ports[0].targetPort);
      if (kind === 'PodDisruptionBudget')
        expect([spec.maxUnavailable, matching(spec.selector.matchLabels).length]).toEqual([1, 1]);
      if (kind === 'PodMonitor')
        expect(matching(spec.selector.matchLabels)[0]?.ports).toContain(spec.podMetricsEndpoints[0].port);
      if (kind === 'ServiceMonitor') {
        const [label] = Object.entries(spec.selector.matchLabels);
        const service = (objects as Untyped[]).find(
          (each) => each.kind === 'Service' && each.metadata.labels?.[label![0]] === label![1],
        );
        expect(service.spec.ports[0].name).toBe(spec.endpoints[0].port);
      }
      if (spec?.scaleTargetRef !== undefined) {
        const target = workloads(objects).find(({ metadata }) => metadata.name === spec.scaleTargetRef.name);
        expect(target.kind).toBe(spec.scaleTargetRef.kind);
        // Else every `apply` would undo what the scaler did.
        expect(target.spec.replicas).toBeUndefined();
      }
    }
  });
});

describe('the schemas', () => {
  const validator = new ManifestValidator('1.33');
  const objects = render(`${k8s}overlays/production`);
  const changed = (kind: string, change: (object: Untyped) => void): string[] => {
    const object = structuredClone(objects.find((each) => each.kind === kind)!);
    change(object);
    return validator.problems(object);
  };

  it('find fields that do not exist, wrong types and missing fields, also in custom resources', () => {
    expect(changed('Deployment', (d) => (d.spec.template.spec.containers[0].readynessProbe = {}))).not.toEqual([]);
    expect(changed('Deployment', (d) => (d.spec.template.spec.terminationGracePeriodSeconds = '80'))).not.toEqual([]);
    expect(changed('NetworkPolicy', (p) => delete p.spec.podSelector)).not.toEqual([]);
    expect(changed('ScaledObject', (s) => (s.spec.poolingInterval = 15))).not.toEqual([]);
    expect(changed('ScaledObject', (s) => (s.spec.triggers[0].metadata.threshold = 24))).not.toEqual([]);
    expect(changed('PodMonitor', (p) => (p.spec.podMetricsEndpoints[0].intervall = '15s'))).not.toEqual([]);
    expect(validator.problems({ apiVersion: 'x/v1', kind: 'Y', metadata: { name: 'z' } })).toEqual([
      'Y z: there is no schema of x/v1/Y',
    ]);
  });
});
