import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { ApiSettings, readSettings, WorkerSettings } from '#config';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(`${repository}${path}`, 'utf8');

// Untyped: Kubernetes objects as they stand in the files.
const documents = (path: string) => parseAllDocuments(read(path)).map((document) => document.toJS());

const schemas = { api: ApiSettings, worker: WorkerSettings };
const names = { api: Object.keys(ApiSettings.shape), worker: Object.keys(WorkerSettings.shape) };
/** Values that the cluster fills in. */
const secretValues: Record<string, string> = {
  MILLRACE_DEV_KEY: 'a-key-of-8-or-more',
  MILLRACE_RELAY_TOKEN: 'a-token-of-16-or-more',
  MILLRACE_THREADS: '4',
  MILLRACE_WORKER_ID: 'worker-0',
  MILLRACE_RELAY_ADVERTISED_HOST: '10.0.0.1',
};

function dockerEnvironment(target: string): Record<string, string> {
  const stage =
    read('Dockerfile')
      .split(/^FROM /m)
      .find((text) => text.includes(` AS ${target}\n`)) ?? '';
  return Object.fromEntries([...stage.matchAll(/(MILLRACE_\w+)=(\S+)/g)].map(([, name, value]) => [name!, value!]));
}

describe.each(['api', 'worker'] as const)('the %s process', (app) => {
  const image = dockerEnvironment(app);

  it('gets only settings that exist and are valid, from its image and docker-compose.yml', () => {
    const service = parse(read('docker-compose.yml'), { merge: true }).services[app];
    const environment: Record<string, string> = { ...image, ...service.environment };
    for (const name of Object.keys(environment)) {
      expect(names[app]).toContain(name);
      if (environment[name]!.startsWith('${')) environment[name] = secretValues[name]!;
    }
    expect(() => readSettings<typeof ApiSettings | typeof WorkerSettings>(schemas[app], environment)).not.toThrow();
    expect(service.healthcheck.test.join(' ')).toContain(
      `:${app === 'api' ? '8001' : image.MILLRACE_WORKER_PORT}/readyz`,
    );
    const graceMs = Number(environment.MILLRACE_GRACE_MS);
    expect(Number.parseInt(service.stop_grace_period, 10) * 1000).toBeGreaterThan(graceMs + 8_000);
  });

  it('gets only settings that exist and are valid, from its image and k8s/base', () => {
    const config = documents('k8s/base/config.yaml')[0].data;
    const deployment = documents(`k8s/base/${app}.yaml`).find((document) => document.kind === 'Deployment');
    const pod = deployment.spec.template.spec;
    const container = pod.containers[0];
    const given: { name: string; value?: string }[] = container.env.filter(
      // Only for the text of REDIS_URL.
      (entry: { name: string }) => entry.name !== 'REDIS_PASSWORD',
    );
    for (const { name } of given) expect(names[app]).toContain(name);
    // The ConfigMap is shared: each name must be a setting of one of the two.
    for (const name of Object.keys(config)) expect([...names.api, ...names.worker]).toContain(name);
    const environment: Record<string, string> = {
      ...image,
      ...config,
      ...Object.fromEntries(given.map(({ name, value }) => [name, value ?? secretValues[name]!])),
    };
    expect(() => readSettings<typeof ApiSettings | typeof WorkerSettings>(schemas[app], environment)).not.toThrow();

    const ports = new Map(
      (container.ports as { name: string; containerPort: number }[]).map((port) => [port.name, port.containerPort]),
    );
    const expected =
      app === 'api'
        ? { http: 'MILLRACE_HTTP_PORT', management: 'MILLRACE_MANAGEMENT_PORT', relay: 'MILLRACE_RELAY_PORT' }
        : { management: 'MILLRACE_WORKER_PORT' };
    expect(Object.fromEntries(ports)).toEqual(
      Object.fromEntries(Object.entries(expected).map(([name, setting]) => [name, Number(environment[setting])])),
    );
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
      expect(ports.has(String(container[probe].httpGet.port))).toBe(true);
    }
    expect(Number(pod.terminationGracePeriodSeconds) * 1000).toBeGreaterThan(
      Number(environment.MILLRACE_GRACE_MS) + 8_000,
    );
  });
});

describe('k8s/base', () => {
  it('lists its files, and every Service selects pods that exist and a port that they have', () => {
    const all = (parse(read('k8s/base/kustomization.yaml')).resources as string[]).flatMap((file) =>
      documents(`k8s/base/${file}`),
    );
    const workloads = all.filter((document) => document.spec?.template !== undefined);
    const label = 'app.kubernetes.io/name';
    for (const service of all.filter((document) => document.kind === 'Service')) {
      const workload = workloads.find(
        (each) => each.spec.template.metadata.labels[label] === service.spec.selector[label],
      );
      const ports: { name: string }[] = workload?.spec.template.spec.containers[0].ports ?? [];
      expect(ports.map((port) => port.name)).toContain(service.spec.ports[0].targetPort);
    }
    for (const workload of workloads) {
      expect(workload.spec.template.spec.securityContext).toMatchObject({ runAsNonRoot: true });
    }
  });
});
